"""What tests of several kinds do to the machine that they seem to run on."""

import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.ipam import Ipam

BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture
def boot(tmp_path: Path) -> Any:
    """Make this look like another boot: another boot ID."""
    mounted: list[Path] = []

    def reboot() -> None:
        file = tmp_path / f"boot_id.{len(mounted)}"
        file.write_text(f"{uuid4()}\n")
        subprocess.run(["mount", "--bind", file, BOOT_ID], check=True)
        mounted.append(file)

    yield reboot
    for _ in mounted:
        subprocess.run(["umount", BOOT_ID], check=True)


@pytest.fixture
def small(plugins: Path, tmp_path: Path) -> Ipam:
    """host-local with five addresses, .2 to .6."""
    return Ipam(plugins / "host-local", tmp_path / "data", "10.7.0.0/29", version="1.1.0")
