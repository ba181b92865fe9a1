"""A node without any suite."""

from pathlib import Path

import pytest

from tests.e2e.install.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node")
