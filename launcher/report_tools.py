"""Programs that a report asks: only those of the system's own directories, with a limit on time."""

import os
import subprocess
from collections.abc import Callable, Iterator

from launcher.environment import outer_environ

DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
PATIENCE = 5.0  # seconds

Told = Callable[[], Iterator[str]]  # what launcher.report_part.attempt calls


def found(name: str) -> str:
    """Where a program of the system's is, "" where there is none."""
    paths = (os.path.join(folder, name) for folder in DIRECTORIES)
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def asked(name: str, *words: str) -> str:
    """What a program prints. Raises OSError where there is none, it fails, or it takes too long."""
    path = found(name)
    if not path:
        raise OSError(None, f"there is no program {name}")
    environ = {**outer_environ(), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [path, *words], stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise OSError(None, f"{name} did not answer within {PATIENCE:g} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        first = said.splitlines()[0]
        raise OSError(None, first if first.startswith(name) else f"{name}: {first}")
    return done.stdout.decode("utf-8", "replace")


def version(name: str, *words: str) -> Iterator[str]:
    """The first line of what a program says of its version. Raises OSError."""
    yield f"{name:<12} {(asked(name, *words).splitlines() or ['says nothing'])[0]}"
