"""What tests of several kinds do to the machine that they seem to run on."""

import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

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
