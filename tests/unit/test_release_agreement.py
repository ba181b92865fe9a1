"""What a release says of itself: a version in one place, the changelog, the documents, the tag."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle.release import agreement
from bundle.release.changelog import Section, for_debian, sections
from bundle.release.facts import ROOT, Facts, facts
from launcher.installation.versions import Refused
from tests.harness.forms import DAY, TOLD

CHANGELOG = f"""\
# Changelog

## Unreleased

## 1.2.3 - {DAY}

### Added

* The plugin `bridge`,
  in two lines.

### Fixed

* A fault.

## 1.2.2 - 2023-01-01

* The beginning.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A commit that may be released."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cniwire"\ndynamic = ["version"]\n')
    (tmp_path / "README.md").write_text("It is cniwire 1.2.3 and says v1.9.1+cniwire.1.2.3.\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "keys.md").write_text("Needs Podman 4.3.1.\n")
    commit(tmp_path)
    return tmp_path


def git(checkout: Path, *words: str) -> None:
    settings = (
        "-c",
        "user.name=somebody",
        "-c",
        "user.email=somebody@example.org",
        "-c",
        "tag.gpgSign=false",
    )
    try:
        subprocess.run(["git", *settings, *words], cwd=checkout, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")


def commit(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "all", "--no-gpg-sign")
    git(checkout, "tag", "--force", "v1.2.3")


def test_a_consistent_release_has_no_faults(checkout: Path) -> None:
    assert agreement.faults(TOLD, checkout) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n* More.\n", "changes under Unreleased"),
        ("CHANGELOG.md", "## 1.2.3", "## 1.2.4", "want 1.2.3 as the newest release, found 1.2.4"),
        ("CHANGELOG.md", DAY, "2023-11-15", "1.2.3 is of 2023-11-15, its commit of 2023-11-14"),
        ("CHANGELOG.md", f" - {DAY}", "", "1.2.3 is of no day, its commit of 2023-11-14"),
        ("CHANGELOG.md", CHANGELOG, "# Changelog\n", "want 1.2.3 as the newest release, found none"),
        ("README.md", "cniwire 1.2.3", "cniwire 1.2.2", "README.md:1: names cniwire 1.2.2, this is 1.2.3"),
        ("docs/keys.md", "Podman 4.3.1", "cniwire_1.0.0_amd64.deb", "keys.md:1: names cniwire 1.0.0"),
        ("pyproject.toml", "dynamic", 'version = "1.2.3"\ndynamic', "toml: has a version of its own"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_one_line(checkout: Path, name: str, old: str, new: str, fault: str) -> None:
    path = checkout / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    commit(checkout)
    (found,) = agreement.faults(TOLD, checkout)
    assert fault in found


def test_each_fault_has_its_line(checkout: Path) -> None:
    (checkout / "README.md").write_text("cniwire 1.0.0\ncniwire-0.9.0\n")
    (checkout / "new").touch()
    assert agreement.faults(Facts("", TOLD.epoch, "1.3"), checkout) == [
        "core/cni/version.py: SUITE is '1.3', want three numbers with dots",
        "CHANGELOG.md: want 1.3 as the newest release, found 1.2.3",
        "README.md:1: names cniwire 1.0.0, this is 1.3",
        "README.md:2: names cniwire 0.9.0, this is 1.3",
        "git: there are changes that are not committed",
        "git: this commit has no tag v1.3",
    ]


def test_a_tag_of_another_commit_is_none(checkout: Path) -> None:
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "more", "--no-gpg-sign")
    assert agreement.faults(TOLD, checkout) == ["git: v1.2.3 is another commit"]


def test_without_git_nothing_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="git: No such file"):
        agreement.faults(Facts("", 0))


def test_refused_is_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agreement, "facts", lambda: TOLD)
    monkeypatch.setattr(agreement, "faults", lambda _: ["one", "other"])
    assert agreement.main() == 1
    assert capsys.readouterr().err == "make release: one\nmake release: other\n"


def test_this_checkout_has_one_version() -> None:
    """What may be false between releases is not asked: changelog, tag, day."""
    told = Facts("", 0)
    assert [*agreement.of_version(told), *agreement.of_project(ROOT), *agreement.of_texts(told, ROOT)] == []


def test_a_changelog_is_read() -> None:
    found = sections(CHANGELOG)
    assert [(each.version, each.date) for each in found] == [
        ("Unreleased", ""),
        ("1.2.3", DAY),
        ("1.2.2", "2023-01-01"),
    ]
    assert found[0].body == ""
    assert found[2].body == "* The beginning."


def test_this_repositorys_changelog_is_read() -> None:
    newest = sections((ROOT / "CHANGELOG.md").read_text())[0]
    assert newest.body.startswith("### ")
    told = for_debian(newest, "0.0.1", "somebody <somebody@example.org>", datetime.now(UTC))
    assert told.count("\n  * ") == newest.body.count("\n* ")


def test_a_changelog_as_debian_has_it() -> None:
    section = sections(CHANGELOG)[1]
    told = for_debian(section, "1.2.3", "somebody <somebody@example.org>", TOLD.time)
    assert told == (
        "cniwire (1.2.3) unstable; urgency=medium\n\n"
        "  * Added: The plugin bridge, in two lines.\n"
        "  * Fixed: A fault.\n\n"
        " -- somebody <somebody@example.org>  Tue, 14 Nov 2023 22:13:20 +0000\n"
    )
    coming = for_debian(Section("Unreleased", "", ""), "1.2.3", "x <x@example.org>", TOLD.time)
    assert coming.startswith("cniwire (1.2.3) UNRELEASED;")


def test_the_checkouts_facts_are_told() -> None:
    try:
        told = facts()
    except Refused:
        pytest.skip("a checkout without git")
    assert len(told.commit) == 40
    assert told.epoch > 1_700_000_000
