"""What a person or a program sees: progress and messages on stderr, results on stdout.

Law: with --json stdout carries exactly one JSON document, and stderr nothing but warnings and traces.
"""

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from core.document import render
from launcher.failures import Several
from launcher.plugin import Call


class Terminal:
    """Messages, progress and results. Also the observer of plugin calls."""

    def __init__(self, as_json: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.verbose = verbose
        self.out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None

    def calling(self, verb: str, plugin_type: str, environ: Mapping[str, str]) -> None:
        """Say which plugin works, as long as it does."""
        who = "/".join(filter(None, (environ.get("CNI_CONTAINERID"), environ.get("CNI_IFNAME"))))
        if self.err.is_terminal and not self.as_json:
            self._status = self.err.status(Text(f"{verb} {plugin_type} {who}"))
            self._status.start()

    def called(self, call: Call) -> None:
        """End the progress line; with --verbose, show the call whole."""
        self.settle()
        if not self.verbose:
            return
        ending = "no answer" if call.code is None else f"exit {call.code}"
        variables = " ".join(f"{key}={value}" for key, value in sorted(call.environ.items()) if key.startswith("CNI_"))
        parts = [("stdin", call.stdin), ("stdout", call.stdout), ("stderr", call.stderr)]
        texts = [f"  {name}: {text.decode(errors='replace').strip()}" for name, text in parts if text.strip()]
        title = f"[bold]{call.verb}[/] {escape(call.path)}  [dim]{call.seconds * 1000:.1f} ms, {ending}[/]"
        self.err.print(title, "[dim]" + escape("\n".join([f"  {variables}", *texts])) + "[/]", sep="\n")

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

    def _say(self, sign: str, text: str, seconds: float | None = None) -> None:
        if not self.as_json:
            took = f"  [dim]{seconds * 1000:.0f} ms[/]" if seconds is not None else ""
            self.err.print(f"{sign} {text}{took}")

    def warn(self, text: str) -> None:
        """Something that did not stop the work. *text* is plain."""
        self.err.print(f"[yellow]![/] {escape(text)}")

    def failure(self, failure: Exception, on_stdout: bool = True) -> None:
        """What went wrong and what to do about it; as JSON it stands where a result would."""
        if self.as_json:
            print(render(described(failure), 4), file=sys.stdout if on_stdout else sys.stderr)
            return
        for one in failure.failures if isinstance(failure, Several) else [failure]:
            details, hint = getattr(one, "details", ""), getattr(one, "hint", "")
            self.err.print(f"[bold red]✘[/] {escape(getattr(one, 'msg', str(one)))}")
            for style, sign, text in (("dim", "", details), ("cyan", "→ ", hint)):
                if text:
                    self.err.print(f"  [{style}]{sign}{escape(text)}[/]")

    def result(self, document: Any) -> None:
        """The JSON document of --json; without it nothing."""
        if self.as_json:
            print(render(document, 4))


def described(failure: Exception) -> dict[str, Any]:
    """A failure in the protocol's error form, with our hint."""
    known = {"code": getattr(failure, "code", 999), "msg": getattr(failure, "msg", str(failure))}
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
