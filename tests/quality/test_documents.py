"""The repository's texts name commands and documents that exist, and no path of anybody's machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "DECISIONS.md"),
    *[str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))],
)
FOREIGN = re.compile(r"(?<![\w.$}/])/(home|root|Users|work(space)?)/\w")  # below somebody's home or checkout
MADE = {".venv", ".git", "build", "dist", "bench-results", "cniwire.egg-info", "__pycache__"}


def tracked() -> list[Path]:
    """Every text file that git knows or does not ignore; in a checkout without git all but what make made."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        names = listed.stdout.splitlines() if listed.returncode == 0 else None
    except FileNotFoundError:
        names = None
    if names is not None:
        paths = [ROOT / name for name in names]
    else:
        paths = [path for path in ROOT.rglob("*") if not MADE & {*path.relative_to(ROOT).parts}]
    files = [path for path in paths if path.is_file() and path != Path(__file__)]
    return [path for path in files if b"\0" not in path.read_bytes()]


def code(text: str) -> list[str]:
    """The code of a Markdown text: what stands in backquotes, and blocks that are indented by four."""
    return re.findall(r"`([^`]+)`", text) + re.findall(r"(?:\A|\n\n)((?: {4}.*\n?)+)", text)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_make_targets_that_exist(name: str) -> None:
    parts = code((ROOT / name).read_text())
    named = {target for part in parts for target in re.findall(r"\bmake ([a-z][a-z-]*)", part)}
    assert named - targets() == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_files_that_exist(name: str) -> None:
    """Paths in backquotes that begin with one of our folders."""
    text = (ROOT / name).read_text()
    named = set(re.findall(r"`((?:bin|conf|core|ipam|launcher|plugins|tests|\.ci)/[\w./-]*)`", text))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_each_make_target_says_what_it_is_for() -> None:
    makefile = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", makefile, re.MULTILINE))
    phony = set(" ".join(re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)).split())
    assert phony - explained == {"help"} - explained
    assert explained <= phony


def test_texts_name_no_document_that_is_not_here() -> None:
    here = {path.name for path in ROOT.rglob("*.md")}
    named = {(path, name) for path in tracked() for name in re.findall(r"[\w-]+\.md\b", path.read_text())}
    assert {(str(path.relative_to(ROOT)), name) for path, name in named if name not in here} == set()


def test_texts_name_nobodys_machine() -> None:
    found = [(path, match.group()) for path in tracked() for match in FOREIGN.finditer(path.read_text())]
    assert [f"{path.relative_to(ROOT)}: {text}" for path, text in found] == []


@pytest.mark.parametrize("name", ["pair", "sender"])
def test_the_examples_of_a_plugin_are_shown_as_they_are(name: str) -> None:
    text = (ROOT / "tests" / "examples" / f"{name}.py").read_text()
    shown = "".join(f"    {line}\n" if line.strip() else "\n" for line in text.splitlines())
    assert shown in (ROOT / "docs" / "new-plugin.md").read_text()
