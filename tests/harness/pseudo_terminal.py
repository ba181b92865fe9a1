"""What a command shows at a terminal: it is run at a pseudo-terminal of a given width.

Its stdout and stderr are told apart by two of them.
"""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]")
DECORATION = re.compile(r"[\s│├└─]+")


@dataclass(frozen=True)
class Screen:
    """Exit code and what was printed, escape sequences included."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, stderr behind stdout, without colours and blanks at ends of lines."""
        text = ESCAPES.sub("", self.stdout + self.stderr).replace("\r\n", "\n")
        return [line.rpartition("\r")[2].rstrip() for line in text.splitlines()]

    @property
    def width(self) -> int:
        """Columns of the longest line."""
        return max(map(cell_len, self.lines), default=0)

    @property
    def running(self) -> str:
        """The text without all that depends on where lines are broken: no blanks, no guides of trees."""
        return DECORATION.sub("", "".join(self.lines))


def screen(command: Sequence[str], columns: int, environ: Mapping[str, str], timeout_s: float = 60) -> Screen:
    """Run *command* at a terminal of that many columns (0: one that does not tell its size)."""
    pairs = [os.openpty(), os.openpty()]
    for _, end in pairs:
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    out, err = pairs[0][1], pairs[1][1]
    environ = {"TERM": "xterm-256color", **environ}
    with subprocess.Popen(
        command, env=environ, start_new_session=True, stdin=out, stdout=out, stderr=err
    ) as process:
        for _, end in pairs:
            os.close(end)
        try:
            stdout, stderr = _read({first for first, _ in pairs}, timeout_s, [first for first, _ in pairs])
            return Screen(process.wait(timeout_s), stdout, stderr)
        finally:
            process.kill()
            for first, _ in pairs:
                os.close(first)


def _read(open_ends: set[int], timeout_s: float, order: Sequence[int]) -> list[str]:
    """Everything that is printed until all other ends are closed."""
    read = dict.fromkeys(order, b"")
    while open_ends:
        ready, _, _ = select.select(list(open_ends), [], [], timeout_s)
        assert ready, f"nothing happens for {timeout_s} s; so far: {read}"
        for end in ready:
            try:
                piece = os.read(end, 1 << 16)
            except OSError:  # EIO: the other end is closed
                piece = b""
            read[end] += piece
            if not piece:
                open_ends.discard(end)
    return [read[end].decode() for end in order]
