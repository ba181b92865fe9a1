"""CHANGELOG.md, read: its releases, and one of them in Debian's format."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

UNRELEASED = "Unreleased"
HEADING = re.compile(r"^## (?:\[?([^\]\s]+)\]?)(?: - (\S+))?\s*$", re.MULTILINE)
WIDTH = 76


@dataclass(frozen=True)
class Section:
    """What has changed with a release. date: as written, "" without one."""

    version: str
    date: str
    body: str


def sections(text: str) -> list[Section]:
    """The sections of a changelog, in their order."""
    found = [*HEADING.finditer(text)]
    ends = [*[each.start() for each in found], len(text)][1:]
    return [
        Section(each[1], each[2] or "", text[each.end() : end].strip())
        for each, end in zip(found, ends, strict=True)
    ]


def items(body: str) -> Iterator[str]:
    """The items of a section, each behind its kind ("Fixed: ..."), without line breaks and backquotes."""
    kind = ""
    for part in re.split(r"\n(?=\* |### )", f"\n{body}"):
        if part.startswith("### "):
            kind = part.split("\n")[0].removeprefix("### ")
        elif part.startswith("* "):
            yield " ".join(f"{kind}: {part[2:]}".replace("`", "").split())


def for_debian(section: Section, version: str, maintainer: str, time: datetime) -> str:
    """deb-changelog(5): one entry. What has not been released is marked so."""
    suite = "UNRELEASED" if section.version == UNRELEASED else "unstable"
    rows = [
        textwrap.fill(
            each,
            WIDTH,
            initial_indent="  * ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for each in items(section.body)
    ]
    ending = f" -- {maintainer}  {time:%a, %d %b %Y %H:%M:%S +0000}"
    return "\n".join([f"cniwire ({version}) {suite}; urgency=medium", "", *rows, "", ending, ""])
