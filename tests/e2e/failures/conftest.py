"""The launcher with two fake plugins, `first` and `last`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.failures.answers import RESULT
from tests.harness.cniwire import Cniwire
from tests.harness.fake_plugin import FakePlugins
from tests.harness.host import Host


@pytest.fixture
def fakes(tmp_path: Path) -> FakePlugins:
    made = FakePlugins(tmp_path / "fakes")
    made.make("first", ADD={"json": RESULT})
    made.make("last", ADD={"json": RESULT})
    return made


@pytest.fixture
def cniwire(host: Host, fakes: FakePlugins) -> Iterator[Cniwire]:
    made = Cniwire(host, fakes.folder)
    made.network("net", {"type": "first"}, {"type": "last"}, version="1.1.0")
    yield made
    made.close()
