"""A node without any suite."""

from pathlib import Path

import pytest

from tests.e2e.install.directory import GO, Directory, launcher, suite
from tests.e2e.install.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node")


@pytest.fixture
def directory(tmp_path: Path, plugins: Path) -> Directory:
    """What `cniwire install` is told to install into."""
    return Directory(tmp_path / "node", launcher(plugins))


@pytest.fixture
def first(tmp_path: Path) -> str:
    """The folder of a suite, of version 1.0.0."""
    return str(suite(tmp_path / "first", "1.0.0"))


@pytest.fixture
def second(tmp_path: Path) -> str:
    """The folder of another, of version 2.0.0."""
    return str(suite(tmp_path / "second", "2.0.0"))


@pytest.fixture
def go() -> Path:
    """The Go suite of the distribution."""
    if not (GO / "bridge").exists():
        pytest.skip("the distribution's plugins are not installed")
    return GO
