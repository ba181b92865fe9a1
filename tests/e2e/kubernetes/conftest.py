"""A cluster of fake hosts for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster


@pytest.fixture
def cluster(plugins: Path, tmp_path: Path) -> Iterator[Cluster]:
    for program, package in (("openssl", "openssl"), ("setpriv", "util-linux")):
        if not shutil.which(program):
            pytest.skip(f"needs the program {program} (package {package})")
    made = Cluster(plugins, tmp_path)
    try:
        yield made
    finally:
        made.close()
