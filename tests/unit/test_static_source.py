"""CPython's source for the static file: nothing is built from another archive than the one that is named.

apt is a script here, that leaves what a mirror would.
"""

import hashlib
import os
from pathlib import Path

import pytest

from bundle.static import source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, which is empty."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cniwire"


def script(folder: Path, name: str, text: str) -> None:
    path = folder.parents[1] / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("content", ["", "another"])
def test_an_archive_with_another_hash_is_refused(folder: Path, content: str) -> None:
    script(folder, "apt-get", f"printf '{content}' > {source.ARCHIVE}")
    with pytest.raises(source.Refused, match=source.SHA256):
        source.fetched()


def test_what_is_damaged_in_the_cache_is_fetched_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SHA256", hashlib.sha256(b"right").hexdigest())
    folder.mkdir(parents=True)
    (folder / source.ARCHIVE).write_text("half")
    script(folder, "apt-get", f"printf right > {source.ARCHIVE}")
    assert source.fetched().read_text() == "right"
    script(folder, "apt-get", "exit 1")  # is not asked again
    assert source.fetched().read_text() == "right"


def test_another_release_at_debian_is_named(folder: Path) -> None:
    script(folder, "apt-get", "touch python3.11_3.11.99.orig.tar.xz")
    with pytest.raises(source.Refused, match=r"python3\.11_3\.11\.99\.orig\.tar\.xz"):
        source.fetched()


@pytest.mark.parametrize("text", ["echo no route >&2; exit 100", "exec /nowhere/apt"])
def test_a_mirror_that_cannot_be_reached_is_one_line(folder: Path, text: str) -> None:
    script(folder, "apt-get", text)
    with pytest.raises(source.Refused, match=r"no route|/nowhere/apt"):
        source.fetched()


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        ((), ""),
        ((source.REVISION,), ""),
        (("3.11.2-6", source.REVISION), ""),
        (("3.11.2-6+deb12u10", source.REVISION), "3.11.2-6+deb12u10"),
    ],
)
def test_a_newer_revision_is_told(folder: Path, versions: tuple[str, ...], newest: str) -> None:
    script(folder, "apt-get", "exit 1")
    script(folder, "apt-cache", "".join([f"echo Version: {each}\n" for each in versions]))
    assert source.newer() == newest
