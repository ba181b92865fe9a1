"""What ls, status, check and gc --dry-run say, for a report: their JSON documents, and their warnings."""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from core.cni.json import render
from launcher import collection, topology, upkeep
from launcher.redaction import Redaction
from launcher.report_part import document
from launcher.session import Session
from launcher.terminal import Terminal

PATIENCE = 10.0  # seconds for one verb: what hangs is told, and need not hang once for each container
CHECKING = 60.0  # seconds for all CHECKs; what is left then is counted
EVERYTHING = argparse.Namespace(names=[], networks=[], network="", dry_run=True, force=[])


class Listener(Terminal):
    """A terminal that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.document: Any = None
        self.warnings: list[str] = []

    def result(self, document: Any) -> None:
        self.document = document

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def overheard(session: Session) -> tuple[Session, Listener]:
    """A session like *session* that tells a listener, and does not wait long."""
    listener, runtime = Listener(), session.runtime
    patient = replace(runtime, timeout=min(runtime.timeout, PATIENCE), observer=listener, warnings=[])
    return Session(session.conf_dir, patient, listener, wide=True), listener


def ls(session: Session, redaction: Redaction) -> Iterator[str]:
    """What is wired, as the kernel shows it."""
    quiet, _ = overheard(session)
    yield document(topology.read(quiet), redaction)


def status(session: Session, redaction: Redaction) -> Iterator[str]:
    """Whether the networks could wire a container now."""
    return said(session, redaction, upkeep.status)


def gc(session: Session, redaction: Redaction) -> Iterator[str]:
    """What gc would remove."""
    return said(session, redaction, collection.gc)


def said(
    session: Session, redaction: Redaction, command: Callable[[Session, argparse.Namespace], int]
) -> Iterator[str]:
    """A command's document and warnings. Raises what it raises."""
    quiet, listener = overheard(session)
    command(quiet, EVERYTHING)
    yield document(listener.document, redaction)
    yield from (f"    warning: {text}" for text in listener.warnings)


def check(session: Session, redaction: Redaction) -> Iterator[str]:
    """A line for each attachment, and what differs."""
    quiet, listener = overheard(session)
    attached, begin = quiet.cache.attachments(), time.monotonic()
    for number, cached in enumerate(attached):
        if time.monotonic() - begin > CHECKING:
            yield f"    {len(attached) - number} more were not checked: {CHECKING:g} s were over"
            break
        outcome, error = upkeep.check_one(quiet, cached)
        yield f"    {outcome}  {cached.network} {'/'.join(cached.key)}"
        for text in [error.msg, *error.details.splitlines()] if error else ():
            yield f"      {text}"
    yield from (f"    warning: {text}" for text in listener.warnings)
    if not attached:
        yield f"    {render([])}"
