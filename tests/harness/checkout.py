"""The checkout under a path that every user may enter, wherever it lies."""

import os
import sys
from pathlib import Path

from launcher.lab import MS_BIND, mount

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path("/mnt")  # in the lab's own mounts, and a lab within it sees it too


def reachable() -> Path:
    """Mount the checkout there, in this lab."""
    if not os.path.ismount(PLACE):
        mount(str(ROOT), str(PLACE), flags=MS_BIND)
    return PLACE


def interpreter() -> str:
    """This interpreter, if it stands in the checkout under that path."""
    here = Path(sys.executable)
    return str(reachable() / here.relative_to(ROOT) if here.is_relative_to(ROOT) else here)
