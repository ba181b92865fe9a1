"""The wheel: the launcher and the plugins for whoever has a Python, and installs by pip, pipx or uvx.

It is built in a copy of what it needs, so that nothing else in the checkout can get in; setup.py says what
lies where in it.
"""

import shutil
import sys
from pathlib import Path

from bundle.release.facts import ROOT, Facts, run

FOLDERS = ("cniwire", "core", "ipam", "launcher", "plugins", "bin", "conf")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
QUIET = ("--quiet", "--disable-pip-version-check", "--no-deps")


def build(facts: Facts, scratch: Path, target: Path, *options: str) -> Path:
    """Make the wheel in the folder *target*; returns its path. Raises Refused.

    options: further ones of `pip wheel`. scratch: a folder that is made and removed.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "made").mkdir(parents=True)
    try:
        for name in FOLDERS:
            shutil.copytree(ROOT / name, scratch / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, scratch / name)
        for path in (scratch, *scratch.rglob("*")):  # whatever the umask was when they were checked out
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        made = scratch / "made"
        pip = (sys.executable, "-m", "pip", "wheel", *QUIET, *options)
        run(*pip, "--wheel-dir", made, scratch, SOURCE_DATE_EPOCH=str(facts.epoch))
        (path,) = made.iterdir()
        return Path(shutil.copy(path, target))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
