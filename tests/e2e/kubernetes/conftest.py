"""A cluster of fake hosts for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster


@pytest.fixture
def image() -> Path | None:
    """Of which root containers are made; None: of the machine, with the launcher under test."""
    return None


@pytest.fixture
def cluster(plugins: Path, tmp_path: Path, image: Path | None) -> Iterator[Cluster]:
    if not shutil.which("openssl"):
        pytest.skip("needs the program openssl")
    made = Cluster(plugins, tmp_path, image)
    try:
        yield made
    finally:
        made.close()
