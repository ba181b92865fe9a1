"""CPython's source, from Debian's source package: fetched, checked, and whether a newer one is there.

apt is told all it needs by options, and so neither reads the machine's list of sources nor changes anything
of the machine. What counts is the hash of the archive, whoever it comes from.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, VERSION = "python3.11", "3.11.2"
REVISION = "3.11.2-6+deb12u9"  # of the source package; its patches are not applied, see SECURITY.md
ARCHIVE = f"{PACKAGE}_{VERSION}.orig.tar.gz"
SHA256 = "2411c74bda5bbcfcddaf4531f66d1adc73f247f529aee981b029513aefdbf849"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = (
    f"deb-src [signed-by={KEYS}] http://deb.debian.org/debian bookworm main",
    f"deb-src [signed-by={KEYS}] http://deb.debian.org/debian-security bookworm-security main",
)


class Refused(Exception):
    """What is said to the person who builds, in one line."""


def cache() -> Path:
    """Where the archive is kept: $XDG_CACHE_HOME/cniwire, or a folder below build."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home, "cniwire") if home else ROOT / "build" / "static" / "cache"


def is_intact(archive: Path) -> bool:
    return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256


def apt(*words: str, folder: Path) -> list[str]:
    """A command of apt that keeps its lists below *folder*."""
    for each in ("lists/partial", "archives/partial"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text("\n".join(SOURCES) + "\n")
    options = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": folder / "none",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder,
        "APT::Sandbox::User": "root",
    }
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return [words[0], *settings, *words[1:]]


def run(command: list[str]) -> tuple[int, str]:
    """Exit code and output of a command in the cache; a program that is not there fails like any other."""
    try:
        done = subprocess.run(command, cwd=cache(), capture_output=True, text=True)
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def fetched() -> Path:
    """The archive, fetched if it is not in the cache. Raises Refused."""
    archive, folder = cache() / ARCHIVE, cache() / "apt"
    if is_intact(archive):
        return archive
    archive.unlink(missing_ok=True)
    commands = [apt("apt-get", "update", "-qq", folder=folder)]
    commands += [apt("apt-get", "source", "-qq", "--download-only", "--tar-only", PACKAGE, folder=folder)]
    for command in commands:
        status, said = run(command)
        if status:
            raise Refused(f"{ARCHIVE} cannot be fetched: {' '.join(said.split())[:500]}")
    if not archive.is_file():
        there = ", ".join(sorted(path.name for path in cache().glob("*.orig.tar.*"))) or "nothing"
        raise Refused(f"Debian has no {ARCHIVE} any more, but {there}: bundle/static/source.py names it")
    if not is_intact(archive):
        raise Refused(f"{archive} has another SHA-256 than bundle/static/source.py says: {SHA256}")
    return archive


def newer() -> str:
    """The revision of the source package that Debian has in the place of ours.

    "" where it has none, or cannot be asked.
    """
    folder = cache() / "apt"
    run(apt("apt-get", "update", "-qq", folder=folder))
    _, listed = run(apt("apt-cache", "showsrc", "--only-source", PACKAGE, folder=folder))
    latest = REVISION
    for found in re.findall(r"^Version: (\S+)$", listed, re.MULTILINE):
        if run(["dpkg", "--compare-versions", found, "gt", latest])[0] == 0:
            latest = found
    return "" if latest == REVISION else latest
