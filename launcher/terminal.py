"""What a person or a program sees: progress and messages on stderr, results on stdout.

Laws: with --json stdout carries exactly one JSON document, and stderr nothing but warnings and traces.
Lines are wrapped at the width of a terminal; where there is none they are neither wrapped nor cut.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from core.cni.json import render
from core.errors import INTERNAL
from launcher import identifiers
from launcher.failures import Several, details
from launcher.plain import escape, plain, portable
from launcher.plugin import Call

ENDLESS = 1_000_000  # columns


class Terminal:
    """Messages, progress and results. Also the observer of plugin calls."""

    def __init__(
        self, as_json: bool = False, verbose: bool = False, findings: bool = False, quiet: bool = False
    ) -> None:
        """findings: what is said of each step is the command's result, and goes to stdout.

        quiet: steps are not told, and a failure in one line.
        """
        self.as_json = as_json
        self.verbose = verbose
        self.quiet = quiet
        self.out, self.err = console(), console(stderr=True)
        self.steps = self.out if findings else self.err
        self._status: Status | None = None

    def calling(self, verb: str, plugin_type: str, environ: Mapping[str, str]) -> None:
        """Show a progress line with the plugin, as long as it runs."""
        container_id = environ.get("CNI_CONTAINERID", "")
        is_long = identifiers.LONG.fullmatch(container_id)
        shown = container_id[: identifiers.SHORT] if is_long else container_id
        who = "/".join(filter(None, (shown, environ.get("CNI_IFNAME"))))
        if self.err.is_terminal and not self.as_json:
            self._status = self.err.status(Text(plain(f"{verb} {plugin_type} {who}")))
            self._status.start()

    def called(self, call: Call) -> None:
        """End the progress line; with --verbose, show the call whole."""
        self.settle()
        if not self.verbose:
            return
        ending = "no answer" if call.code is None else f"exit {call.code}"
        named = sorted((key, value) for key, value in call.environ.items() if key.startswith("CNI_"))
        variables = " ".join(f"{key}={value}" for key, value in named)
        streams = {"stdin": call.stdin, "stdout": call.stdout, "stderr": call.stderr}
        decoded = {name: data.decode(errors="surrogateescape").strip() for name, data in streams.items()}
        texts = [f"  {name}: {text}" for name, text in decoded.items() if streams[name].strip()]
        told = "\n".join(map(escape, "\n".join([f"  {variables}", *texts]).split("\n")))
        title = f"[bold]{call.verb}[/] {escape(call.path)}  [dim]{call.seconds * 1000:.1f} ms, {ending}[/]"
        self.err.print(title, f"[dim]{told}[/]", sep="\n", soft_wrap=True)

    def settle(self) -> None:
        """Take the progress line away."""
        if self._status:
            self._status.stop()
            self._status = None

    def done(self, text: str, seconds: float | None = None) -> None:
        """A step succeeded. *text* is rich markup."""
        self._say("[green]✔[/]", text, seconds)

    def skipped(self, text: str) -> None:
        """A step was left out, for a reason that is in *text*."""
        self._say("[yellow]-[/]", text)

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._say(" ", text)

    def wrong(self, text: str, lines: Sequence[str] = (), hint: str = "") -> None:
        """Something was found that is not as it should be. *text* and *lines* are markup, *hint* is plain."""
        self._say("[bold red]✘[/]", text)
        for line in lines:
            self._say(" ", line)
        if hint:
            self._say(" ", f"[cyan]→ {escape(hint)}[/]")

    def _say(self, sign: str, text: str, seconds: float | None = None) -> None:
        if not self.as_json and not self.quiet:
            took = f"  [dim]{seconds * 1000:.0f} ms[/]" if seconds is not None else ""
            self._line(self.steps, sign, text + took)

    def _line(self, where: Console, sign: str, text: str) -> None:
        """A sign and markup; where it has to be wrapped, further lines begin below the first one's text."""
        text = plain(text)  # in case a caller has not escaped what came from outside
        if where.soft_wrap:
            where.print(f"{sign} {text}")
            return
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=1)
        grid.add_column(overflow="fold")
        grid.add_row(sign, text)
        where.print(grid)

    def _lines(self, where: Console, sign: str, text: str) -> None:
        """A sign and plain text; further lines of it are indented, so that none looks like one of ours."""
        for number, line in enumerate(text.split("\n")):
            self._line(where, " " if number else sign, escape(line))

    def show(self, what: RenderableType) -> None:
        """A table or drawing; where it goes to a file, without blanks at the ends of lines."""
        if not self.out.soft_wrap:
            self.out.print(what)
            return
        with self.out.capture() as captured:
            self.out.print(what)
        print("\n".join(line.rstrip() for line in captured.get().split("\n")), end="")

    def warn(self, text: str) -> None:
        """Something that did not stop the work. *text* is plain."""
        self._lines(self.err, "[yellow]![/]", text)

    def failure(self, failure: Exception, on_stdout: bool = True) -> None:
        """What went wrong and what to do about it; as JSON it stands where a result would."""
        if self.as_json:
            print(render(portable(described(failure)), 4), file=sys.stdout if on_stdout else sys.stderr)
            return
        if self.quiet:
            print(f"cniwire: {plain(in_one_line(failure))}", file=sys.stderr)
            return
        for one in failure.failures if isinstance(failure, Several) else [failure]:
            hint = getattr(one, "hint", "")
            self._lines(self.err, "[bold red]✘[/]", getattr(one, "msg", str(one)))
            for line in details(one):
                self._line(self.err, " ", f"[dim]{escape(line)}[/]")
            if hint:
                self._line(self.err, " ", f"[cyan]→ {escape(hint)}[/]")

    def result(self, document: Any) -> None:
        """The JSON document of --json; without it nothing."""
        if self.as_json:
            print(render(portable(document), 4))


def console(stderr: bool = False) -> Console:
    """A console for stdout or stderr: as wide as the terminal, or without any width."""
    stream = sys.stderr if stderr else sys.stdout
    width: dict[str, Any] = {} if stream.isatty() else {"soft_wrap": True, "width": ENDLESS}
    return Console(stderr=stderr, highlight=False, emoji=False, _environ=_sane_environ(), **width)


def _sane_environ() -> dict[str, str]:
    """The environment without a COLUMNS or LINES that is no size of a terminal."""
    sizes = {key: os.environ[key] for key in ("COLUMNS", "LINES") if key in os.environ}
    wrong = [key for key, value in sizes.items() if not _is_size(value)]
    return {key: value for key, value in os.environ.items() if key not in wrong}


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0


def in_one_line(failure: Exception) -> str:
    """A failure with its details and hint."""
    if isinstance(failure, Several):
        return "; ".join(map(in_one_line, failure.failures))
    told = ": ".join(filter(None, [getattr(failure, "msg", str(failure)), *details(failure)]))
    hint = getattr(failure, "hint", "")
    return f"{told} ({hint})" if hint else told


def described(failure: Exception) -> dict[str, Any]:
    """A failure in the protocol's error form, with our hint."""
    known = {"code": getattr(failure, "code", INTERNAL), "msg": getattr(failure, "msg", str(failure))}
    extra = {"details": getattr(failure, "details", ""), "hint": getattr(failure, "hint", "")}
    document: dict[str, Any] = {**known, **{key: value for key, value in extra.items() if value}}
    if isinstance(failure, Several):
        document["errors"] = [described(one) for one in failure.failures]
    return document


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        return time.monotonic() - self.start
