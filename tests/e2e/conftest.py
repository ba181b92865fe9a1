"""The one static file (make dist), where it was built."""

import platform
from pathlib import Path

import pytest

from launcher.installation.versions import STATIC as NAME

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "dist" / "static" / platform.machine()


@pytest.fixture
def static(plugins: Path) -> Path:
    """The folder that make dist leaves: the one under test, if it is such a folder."""
    folder = plugins.resolve() if (plugins / NAME).exists() else BUILT
    if not (folder / NAME).exists():
        pytest.skip(f"there is no {folder / NAME} (make dist)")
    return folder
