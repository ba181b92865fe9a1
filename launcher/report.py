"""The command report: what an engineer asks for when something is wrong, in one file of plain text.

Law: nothing is changed, and nothing stops it. A part that cannot be told says why in its place. Secrets and
the machine's identity are hidden by rule (launcher.redaction), and what no rule can know is named at the end.
"""

import argparse
import os
import re
import time
from collections.abc import Iterator, Sequence

from core.cni.version import SUITE
from core.errors import CNIError
from launcher import report_answers, report_files, report_network, report_system
from launcher.failures import Failure
from launcher.plain import escape, plain
from launcher.redaction import Redaction
from launcher.report_part import MISSING, Part, why
from launcher.session import Session

PARTS: dict[str, Part] = {
    "Versions": report_system.versions,
    "Where it runs": report_system.surroundings,
    "Plugins": report_system.plugins,
    "Configurations": report_files.configurations,
    "Cached results": report_files.results,
    "Reservations": report_files.reservations,
    "cniwire ls": report_answers.ls,
    "cniwire status": report_answers.status,
    "cniwire check": report_answers.check,
    "cniwire gc --dry-run": report_answers.gc,
    "Packet filter": report_network.packet_filter,
    "Links and addresses": report_network.links,
    "Routes": report_network.routes,
    "Settings": report_network.settings,
}
HEAD = """\
cniwire report, {time}

Secrets, and what tells which machine this is, are hidden by rule: <hidden>, <host name>,
<public address of eth0>.
Look through it before you send it: the last section says what no rule can know.
"""
IPV4, IPV6 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])", r"(?<![\w:])[0-9a-f]{1,4}:[0-9a-f:]{2,}(?![\w:])"
NAMES = "names of networks, containers and pods, in every section"
SEARCH = "search domains and name servers"
SHOWN = 5  # public addresses that are named one by one


def report(session: Session, options: argparse.Namespace) -> int:
    """Write the report; 0, whatever it tells. Raises Failure where the file cannot be written."""
    redaction = Redaction(report_system.identity())
    sections = [section(title, part, session, redaction) for title, part in PARTS.items()]
    failed = [f"{title}: {each}" for title, text in zip(PARTS, sections) for each in missing(text)]
    body = "\n".join(sections)
    look = to_look_at(body)
    head = HEAD.format(time=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))
    last = [f"{redaction.hidden} values were hidden. What no rule can know, and is still in it:", ""]
    whole = "\n".join([head, body, "## Before you send it", "", *last, *[f"* {each}" for each in look], ""])
    if options.file == "-" and not session.terminal.as_json:
        print(whole, end="")
    path = options.file or time.strftime("cniwire-report-%Y%m%d-%H%M%S.txt", time.gmtime())
    if options.file != "-":
        write(path, whole)
    said = {"report": whole} if options.file == "-" else {"file": path}
    missed = {"missing": failed} if failed else {}
    session.terminal.result({**said, "hidden": redaction.hidden, "lookAt": look, **missed})
    tell(session, "the report" if options.file == "-" else path, failed, redaction.hidden, look)
    return 0


def section(title: str, part: Part, session: Session, redaction: Redaction) -> str:
    """One part of the report. Whatever fails in it is told in its place: it is what the report is for."""
    lines = [f"## {title}", ""]
    try:
        lines.extend(part(session, redaction))  # what is told before a failure stays
    except (CNIError, OSError) as error:
        lines.append(f"{MISSING}{why(error)})")
    except Exception as error:
        lines.append(f"{MISSING}{type(error).__name__}: {error})")
    return redaction.text("\n".join(map(harmless, lines)) + "\n")


def harmless(text: str) -> str:
    """*text* with everything escaped that could change what a terminal shows, but for the ends of lines."""
    return "\n".join(plain(line.replace("\t", "  ")) for line in text.split("\n"))


def missing(text: str) -> Iterator[str]:
    """What is missing in a section, and why."""
    for line in text.splitlines():
        what, found, told = line.partition(MISSING)
        if found:
            yield ": ".join(filter(None, (what.strip(), told.removesuffix(")"))))


def to_look_at(body: str) -> list[str]:
    """What may be told by the report although somebody may not want it to be."""
    found = dict.fromkeys(re.findall(IPV4, body) + re.findall(IPV6, body))
    public = [each for each in found if report_system.is_public(each)]
    more = f" and {len(public) - SHOWN} more" if len(public) > SHOWN else ""
    addresses = [f"public addresses: {', '.join(public[:SHOWN])}{more}"] if public else []
    domains = [SEARCH] if re.search(r'"(search|nameservers|domain)"', body) else []
    return [NAMES, *domains, *addresses]


def write(path: str, text: str) -> None:
    """Make the file, which nobody else may read. Raises Failure; what is there is never overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except BaseException:
            os.unlink(path)
            raise
    except OSError as error:
        hint = "name another file, or `-` to have it printed"
        raise Failure(f"cannot write the report to {path}: {error.strerror}", hint=hint) from None


def tell(session: Session, what: str, failed: Sequence[str], hidden: int, look: Sequence[str]) -> None:
    """What was written, what is missing in it, and what to look at."""
    terminal = session.terminal
    terminal.done(f"[bold]{escape(what)}[/]: cniwire {SUITE}, {len(PARTS)} sections, {hidden} values hidden")
    for each in failed:
        terminal.skipped(f"missing: {escape(each)}")
    if failed and os.geteuid():
        terminal.note("as root it tells more: `sudo cniwire report`")
    terminal.note("look through it before you send it:")
    for each in look:
        terminal.note(f"  {escape(each)}")
