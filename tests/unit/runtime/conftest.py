"""A runtime, and the two fake plugins that it calls."""

from pathlib import Path

import pytest

from launcher.cache import Cache
from launcher.runtime import Runtime
from tests.harness.fake_plugin import FakePlugins
from tests.unit.runtime.fake_list import FIRST, LAST


@pytest.fixture
def fakes(tmp_path: Path) -> FakePlugins:
    """Two plugins, `first` and `last`."""
    made = FakePlugins(tmp_path / "plugins")
    made.make("first", ADD={"json": FIRST})
    made.make("last", ADD={"json": LAST})
    return made


@pytest.fixture
def runtime(fakes: FakePlugins, tmp_path: Path) -> Runtime:
    return Runtime([str(tmp_path / "empty"), str(fakes.folder)], Cache(str(tmp_path / "cache")), timeout=10)
