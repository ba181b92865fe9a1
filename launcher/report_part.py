"""What the parts of a report have in common: lines of text, and what stands where something is missing."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator

from core.cni.json import render
from core.errors import CNIError
from launcher.redaction import Redaction
from launcher.session import Session

Part = Callable[[Session, Redaction], Iterable[str]]
MISSING = "(missing: "  # what a line holds where something could not be told; the reason and `)` follow
MOST = 1 << 16  # bytes of one file that are told


def indented(text: str) -> str:
    """Each line of a text four columns in."""
    return "\n".join(f"    {line}" if line else "" for line in text.rstrip().splitlines())


def document(value: object, redaction: Redaction) -> str:
    """A document, with what may be secret hidden."""
    return indented(render(redaction.document(value), 2))


def attempt(what: str, tell: Callable[[], Iterable[str]]) -> Iterator[str]:
    """The lines of *tell*; where it fails, what is missing and why, so that the rest is told all the same."""
    try:
        yield from tell()
    except (OSError, CNIError, ValueError) as error:
        yield f"{what}  {MISSING}{why(error)})"


def why(error: Exception) -> str:
    """A failure in one line."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return " ".join(str(getattr(error, "msg", "") or error).split())


def content(path: str) -> bytes:
    """The beginning of a regular file. Raises OSError; a FIFO or a device is refused without waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "want a regular file")
        return file.read(MOST)


def line_of(path: str) -> str:
    """What a file of one line says, "" where it cannot be read."""
    try:
        return content(path).decode("utf-8", "replace").strip()
    except OSError:
        return ""
