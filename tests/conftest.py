"""Which executables are tested, and the fake host.

Whatever touches a kernel runs in a lab and never on the machine itself.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import lab
from tests.harness.host import Host
from tests.harness.identity import identify

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"source": ROOT / "bin", "bundle": ROOT / "dist" / "cniwire"}
# Tests that make links, rules and mounts.
TOUCHING = tuple(ROOT / "tests" / name for name in ("kernel", "e2e", "runtimes"))


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "executables to test: source (bin/), bundle (dist/cniwire/) or a folder"
    parser.addoption("--plugins", dest="suite", default="source", metavar="source|bundle|DIR", help=text)


def pytest_configure() -> None:
    """In a lab, before anything runs."""
    if lab.MARK in os.environ:
        identify()


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Start the same pytest again inside a lab, so that plain `pytest` works.

    Where no lab can be made, stay: the tests that need one are skipped.
    """
    if lab.MARK in os.environ or lab.obstacle():
        return None
    roots = os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", f"{tempfile.gettempdir()}/cniwire-{os.getuid()}")
    # In a lab everybody is root: temporary folders are told apart by who one is outside.
    os.makedirs(roots, exist_ok=True)
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture:
        capture.stop_global_capturing()
    return lab.main([sys.executable, "-m", "pytest", *config.invocation_params.args])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if lab.MARK in os.environ:
        return
    reason = f"runs in a private fake host only, and here is none: {lab.obstacle()}"
    for item in items:
        if any(folder in item.path.parents for folder in TOUCHING):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def plugins(pytestconfig: pytest.Config) -> Path:
    """The folder with the executables under test."""
    choice = pytestconfig.getoption("suite")
    folder = FOLDERS.get(choice, Path(choice))
    if not folder.is_dir():
        pytest.exit(f"--plugins={choice}: there is no {folder} (make bundle?)", returncode=4)
    return folder


@pytest.fixture
def bundle(plugins: Path) -> Path:
    """The folder of a bundle, for what concerns only bundles."""
    if not (plugins / "lib" / "cniwire.modules").exists():
        pytest.skip(f"{plugins} is no bundle")
    return plugins


@pytest.fixture
def host(plugins: Path, tmp_path: Path) -> Iterator[Host]:
    """A fresh network namespace in which the test, and whatever it starts, lives until it ends."""
    with Host(plugins, tmp_path) as fresh:
        yield fresh
