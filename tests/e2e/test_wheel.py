"""The wheel, in a virtual environment of its own: one package, whose command and plugins work."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from bundle.release import wheel
from core.cni.version import SUITE
from launcher.installation.versions import PLUGINS
from tests.harness.forms import TOLD

FOUND = "import rich, importlib.util as u; print([name for name in {0!r} if u.find_spec(name)])"


@pytest.fixture(scope="module")
def made(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (plugins / "lib").exists():
        pytest.skip("a wheel is made of the source tree, and tested with it")
    folder = tmp_path_factory.mktemp("wheel")
    return wheel.build(TOLD, folder / "scratch", folder, "--no-build-isolation")


@pytest.fixture(scope="module")
def bin_dir(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's bin; libraries are those of the environment that the tests run in."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout
    Path(packages.strip(), "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", "--disable-pip-version-check", made], check=True)
    return folder / "bin"


def environ(path: str) -> dict[str, str]:
    kept = ("HOME", "CNIWIRE_LAB", "TMPDIR")
    return {"PATH": path, **{name: os.environ[name] for name in kept if name in os.environ}}


def run(*command: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd="/", env=environ(path), capture_output=True, text=True, timeout=60)


def test_a_wheel_has_one_package(made: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        about = f"cniwire-{SUITE}.dist-info"
        assert {name.partition("/")[0] for name in names} == {"cniwire", about}
        assert archive.read(f"{about}/top_level.txt").split() == [b"cniwire"]
        modes = {name: archive.getinfo(name).external_attr >> 16 & 0o777 for name in names}
    assert {modes[f"cniwire/suite/bin/{name}"] for name in PLUGINS} == {0o755}
    assert not [name for name in names if "__pycache__" in name or "tests" in name or "bundle" in name]


def test_a_wheel_has_the_same_bytes_again(made: Path, tmp_path: Path) -> None:
    """In another folder, by somebody with another umask."""
    old = os.umask(0o077)
    try:
        again = wheel.build(TOLD, tmp_path / "elsewhere" / "scratch", tmp_path, "--no-build-isolation")
    finally:
        os.umask(old)
    assert again.read_bytes() == made.read_bytes()


def test_what_is_installed_clashes_with_nobody(bin_dir: Path) -> None:
    """Of our folders none is a package of that environment, and its other libraries are there."""
    names = ("core", "plugins", "ipam", "launcher", "bin", "conf", "tests")
    assert run(bin_dir / "python", "-I", "-c", FOUND.format(names)).stdout == "[]\n"
    assert not [path for path in bin_dir.iterdir() if path.name in PLUGINS]


@pytest.mark.parametrize("command", [("cniwire",), ("python", "-m", "cniwire")])
def test_the_command_says_its_version(bin_dir: Path, command: tuple[str, ...]) -> None:
    done = run(bin_dir / command[0], *command[1:], "--version")
    assert (done.stdout, done.stderr) == (f"cniwire {SUITE}, CNI 0.1.0 to 1.1.0\n", "")


def test_a_container_runs_in_a_lab_without_any_file(bin_dir: Path) -> None:
    """`cniwire lab -- cniwire run demo`: in no folder of PATH there is a cniwire."""
    words = ("lab", "--", "cniwire", "--verbose", "run", "demo", "--", "true")
    done = run(bin_dir / "cniwire", *words, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert done.returncode == 0, done.stderr
    assert "/cniwire/suite/bin/bridge" in done.stderr


def test_its_plugins_run_with_the_interpreter_that_it_was_installed_for(
    bin_dir: Path, tmp_path: Path
) -> None:
    """Whatever python3 is on PATH, here one that is too old for anything."""
    (tmp_path / "python3").write_text("#!/bin/sh\necho too old >&2\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    words = ("lab", "--", bin_dir / "cniwire", "run", "demo", "--", "true")
    done = run(bin_dir / "cniwire", *words, path=f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    assert done.returncode == 0, done.stderr
