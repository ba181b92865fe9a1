"""The pictures of a terminal in docs/assets: python -m manual.pictures docs/assets.

Each is what commands print in a lab, without the times, which are those of whatever else the machine did.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from launcher import lab

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 84
# Picture -> what is typed; a line that begins with - is typed, and not shown.
SCENES: Mapping[str, Sequence[str]] = {
    "run": ("cniwire run demo --name job -- ip -color -brief -4 address",),
    "ls": ("-cniwire up demo db", "-cniwire up demo web --publish 8080:80", "cniwire ls"),
    "check": ("ip -n web route delete default", "cniwire check", "-cniwire down --all"),
}
# What a spinner has written, and how it takes its line back at last.
SPINNER = re.compile(r"[^\n]*\n\x1b\[\?25h\r?\x1b\[1A\x1b\[2K|[^\n]*\x1b\[2K|\x1b\[\?25[lh]|\x1b\[1A")
TIME = re.compile(r"  (?:\x1b\[2m)?\d+ ms(?:\x1b\[0m)?")
FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # which would be fetched from a server


def typed(command: str) -> str:
    """What *command* prints at a terminal that knows colours. Raises AssertionError if the shell lacks it."""
    # The launcher as it stands here, whether or not one is installed.
    function = f'cniwire() {{ "{sys.executable}" -m launcher "$@"; }}\n'
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(WIDTH), "FORCE_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-c", function + command],
        env=environ | {"TERM": "xterm-256color"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode != 127, done.stdout
    return TIME.sub("", SPINNER.sub("", done.stdout.decode()))  # its carriage returns as they are


def picture(lines: Sequence[str]) -> str:
    """An SVG of the commands and of what they print."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    for line in lines:
        printed = typed(line.removeprefix("-"))
        if not line.startswith("-"):
            console.print(Text.assemble(("$ ", "bold green"), (line, "bold")))
            if printed:
                console.print(Text.from_ansi(printed.rstrip("\n")), soft_wrap=True)
    return console.export_svg(title="", code_format=FONTS.sub("", CONSOLE_SVG_FORMAT), unique_id="cniwire")


def main(folder: str) -> int:
    """Write all of them; in a lab of its own, where this is none."""
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, "-m", "manual.pictures", folder])
    for name, lines in SCENES.items():
        Path(folder, f"{name}.svg").write_text(picture(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
