"""Whether all that a release says of itself agrees: python -m bundle.release.agreement, one line per fault.

The version stands in core/cni/version.py alone; the rest of the repository is compared with it.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from bundle.release.changelog import UNRELEASED, sections
from bundle.release.facts import ROOT, Facts, facts, run
from launcher.installation.versions import Refused

VERSION = re.compile(r"\d+\.\d+\.\d+")
# In texts: the suite with a version, as in cniwire-0.2.0-linux, cniwire_0.2.0_amd64 or v1.9.1+cniwire.0.2.0.
NAMED = re.compile(r"\bcniwire[-_ .]v?(\d+\.\d+\.\d+)")
TEXTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "bundle/README.md", "docs/**/*.md", "conf/**/*")


def of_version(told: Facts) -> Iterator[str]:
    if not VERSION.fullmatch(told.version):
        yield f"core/cni/version.py: SUITE is {told.version!r}, want three numbers with dots"


def of_changelog(told: Facts, text: str) -> Iterator[str]:
    """The newest release in it is this one, of this day, and nothing is left above it."""
    found = sections(text)
    if found and found[0].version == UNRELEASED:
        if found[0].body:
            yield f"CHANGELOG.md: there are changes under {UNRELEASED}, which belong to {told.version}"
        found = found[1:]
    if not found or found[0].version != told.version:
        newest = found[0].version if found else "none"
        yield f"CHANGELOG.md: want {told.version} as the newest release, found {newest}"
    elif found[0].date != f"{told.time:%Y-%m-%d}":
        date = found[0].date or "no day"
        yield f"CHANGELOG.md: {told.version} is of {date}, its commit of {told.time:%Y-%m-%d}"
    elif not found[0].body:
        yield f"CHANGELOG.md: nothing is said of {told.version}"


def of_texts(told: Facts, root: Path) -> Iterator[str]:
    """Documents and examples that name another version of the suite."""
    for path in sorted({path for pattern in TEXTS for path in root.glob(pattern) if path.is_file()}):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for other in NAMED.findall(line):
                if other != told.version:
                    yield f"{path.relative_to(root)}:{number}: names cniwire {other}, this is {told.version}"


def of_project(root: Path) -> Iterator[str]:
    """The version is not written a second time."""
    if "version" in tomllib.loads((root / "pyproject.toml").read_text())["project"]:
        yield "pyproject.toml: has a version of its own, core/cni/version.py is the place"


def of_git(told: Facts, root: Path) -> Iterator[str]:
    """The commit bears the release's tag, and nothing has been changed since."""
    git = ("git", "-c", f"safe.directory={root}")
    if run(*git, "status", "--porcelain", cwd=root):
        yield "git: there are changes that are not committed"
    tag = f"v{told.version}"
    if tag not in run(*git, "tag", "--points-at", "HEAD", cwd=root).split():
        exists = tag in run(*git, "tag", "--list", tag, cwd=root).split()
        yield f"git: {tag} is another commit" if exists else f"git: this commit has no tag {tag}"


def faults(told: Facts, root: Path = ROOT) -> list[str]:
    """What does not agree, a line each. Raises Refused where git cannot be asked."""
    changelog = (root / "CHANGELOG.md").read_text()
    return [
        *of_version(told),
        *of_project(root),
        *of_changelog(told, changelog),
        *of_texts(told, root),
        *of_git(told, root),
    ]


def main() -> int:
    try:
        found = faults(facts())
    except Refused as error:
        found = [str(error)]
    for fault in found:
        print(f"make release: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
