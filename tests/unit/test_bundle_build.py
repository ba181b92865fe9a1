"""A build that dies half way, at each of its steps, leaves the bundle that was there, or none.

And does not count as built.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundle import build
from launcher.installation.versions import Refused

ROOT = Path(__file__).resolve().parents[2]
STEPS = ("archive", "link", "for_people", "is_small", "ask")


def refuse(*_: Any) -> None:
    raise Refused("it does not answer")


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A scratch folder as PyInstaller leaves it, and a bundle of before.

    Each step writes a file of its name.
    """
    scratch, target = tmp_path / "build" / "cniwire", tmp_path / "dist" / "cniwire"
    for folder in (scratch, target):
        (folder / "lib").mkdir(parents=True)
        (folder / "cniwire").write_text(folder.parent.name)
    for name in STEPS:
        monkeypatch.setattr(build, name, lambda path, name=name: (scratch / name).write_text(str(path.name)))
    return scratch, target


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_leaves_what_was_there(
    folders: tuple[Path, Path], step: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, target = folders
    if not before:
        shutil.rmtree(target)
    monkeypatch.setattr(
        build, step, refuse if step == "ask" else (lambda _: False) if step == "is_small" else lambda _: 1 / 0
    )
    try:
        assert build.main(scratch, target) == 1
    except ZeroDivisionError:
        pass
    assert tree(target) == ({"cniwire": "dist"} if before else {})


def test_a_build_that_succeeds_replaces_all_of_it(folders: tuple[Path, Path]) -> None:
    scratch, target = folders
    (target / "lib" / "old").write_text("")
    assert build.main(scratch, target) == 0
    assert tree(target) == {
        "cniwire": "build",
        "archive": "lib",
        "link": "bridge",
        "for_people": "cniwire",
        "is_small": "cniwire",
        "ask": "cniwire",
    }
    assert not scratch.exists()


FAKE_PYTHON = """\
#!/bin/sh
case "$*" in *PyInstaller*) {collect} ;; *bundle.build*) {build} ;; *) exec {python} "$@" ;; esac
"""
COLLECTED = "mkdir -p build/bundle/cniwire/lib && touch build/bundle/cniwire/cniwire"
SUCCESS = "mkdir -p dist && rm -rf dist/cniwire && mv build/bundle/cniwire dist/"


@pytest.mark.parametrize("dies", ["collect", "build"])
def test_make_does_not_take_a_failed_bundle_for_a_built_one(tmp_path: Path, dies: str) -> None:
    """`make bundle` after a failed one fails again, and succeeds once its cause is gone.

    The old bundle is there all the while.
    """
    for name in ("Makefile", "bundle.spec", "tests/quality/import_budget.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / ".ci" / "needs").write_text("#!/bin/sh\n")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tmp_path / "dist" / "cniwire").mkdir(parents=True)
    (tmp_path / "dist" / "cniwire" / "old").write_text("")

    def tool(**does: str) -> None:
        (tools / "python").write_text(
            FAKE_PYTHON.format(**{"collect": COLLECTED, "build": SUCCESS, "python": sys.executable, **does})
        )
        (tools / "python").chmod(0o755)

    def make() -> int:
        return subprocess.run(
            ["make", "-o", ".venv/ready", "bundle"], cwd=tmp_path, capture_output=True
        ).returncode

    tool(**{dies: "exit 1"})
    assert [make(), make()] == [2, 2]
    assert (tmp_path / "dist" / "cniwire" / "old").exists()
    tool()
    assert [make(), make()] == [0, 0]
    assert [path.name for path in sorted((tmp_path / "dist" / "cniwire").iterdir())] == ["cniwire", "lib"]
