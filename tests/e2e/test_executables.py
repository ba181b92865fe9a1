"""The executables, however they are called: by links, from any folder, with foreign modules around."""

import re
import subprocess
from pathlib import Path

import pytest

from core.cni.main import REFERENCE
from core.cni.version import SUITE
from launcher.installation.versions import PLUGINS

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def banner(executable: Path | str, cwd: Path | None = None) -> str:
    return subprocess.run(
        [executable],
        cwd=cwd,
        env=INTERPRETER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stderr


@pytest.mark.parametrize("name", PLUGINS)
def test_a_link_from_anywhere_leads_home(plugins: Path, tmp_path: Path, name: str) -> None:
    """Also through a folder that is not called bin, and through a link to a link."""
    (tmp_path / "cni").mkdir()
    (tmp_path / "cni" / name).symlink_to(plugins.resolve() / name)
    (tmp_path / name).symlink_to(f"cni/{name}")
    (tmp_path / "folder").symlink_to(plugins.resolve())
    for executable in (tmp_path / "cni" / name, tmp_path / name, tmp_path / "folder" / name):
        assert banner(executable).startswith(f"CNI {name} plugin v")
    assert banner(f"./{name}", tmp_path).startswith(f"CNI {name} plugin v")


@pytest.mark.parametrize("place", ["x", "bin/x"])
def test_nobody_elses_modules_are_imported(plugins: Path, tmp_path: Path, place: str) -> None:
    """A folder `core` beside, above or in the working directory is not imported, however we are called."""
    for folder in (tmp_path, tmp_path / place, (tmp_path / place).parent):
        (folder / "core").mkdir(parents=True, exist_ok=True)
        (folder / "core" / "__init__.py").write_text("raise SystemExit('taken over')")
        (folder / "core" / "main.py").write_text("raise SystemExit('taken over')")
    (tmp_path / place / "bridge").symlink_to(plugins.resolve() / "bridge")
    link, ours = tmp_path / place / "bridge", plugins.resolve() / "bridge"
    for executable, cwd in ((link, link.parent), ("./bridge", link.parent), (ours, tmp_path)):
        assert banner(executable, cwd).startswith("CNI bridge plugin v")


def test_a_copy_of_a_script_of_the_checkout_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "bridge").write_bytes((ROOT / "bin" / "bridge").read_bytes())
    (tmp_path / "bridge").chmod(0o755)
    done = subprocess.run([tmp_path / "bridge"], env=INTERPRETER, capture_output=True, text=True)
    assert (done.returncode, done.stdout, "make a link" in done.stderr, "Traceback" in done.stderr) == (
        1,
        "",
        True,
        False,
    )


@pytest.mark.parametrize("name", PLUGINS)
def test_the_banner_is_what_hosts_read(plugins: Path, name: str) -> None:
    """Nomad takes the first word that is a semantic version.

    nerdctl takes all that stands behind the plugin's name.
    """
    said = banner(plugins / name)
    words = [word for word in said.split() if re.match(r"v?\d+\.\d+\.\d+", word)]
    assert words[0] == f"v{REFERENCE}+cniwire.{SUITE}"
    whole = said.splitlines()[0].removeprefix(f"CNI {name} plugin ")
    semantic = r"v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
    found = re.fullmatch(semantic, whole)
    assert found
    assert tuple(map(int, found.groups()[:3])) >= (1, 7, 1)
