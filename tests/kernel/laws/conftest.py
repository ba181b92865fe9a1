"""Both kernels: the real one, and the dictionary that stands for it in unit tests."""

from collections.abc import Iterator

import pytest

from core.kernel.kernel import Kernel
from tests.harness.fake_kernel.world import World
from tests.harness.host import Host
from tests.kernel.laws.table import Factory


@pytest.fixture(params=["fake", "real"])
def opened(request: pytest.FixtureRequest) -> Iterator[Factory]:
    """Opens kernels of one world; the real one in a fresh fake host with one container."""
    if request.param == "fake":
        world = World()
        yield lambda: world.kernel("/netns/c1")
        return
    host: Host = request.getfixturevalue("host")
    container = host.container()
    kernels: list[Kernel] = []

    def factory() -> Kernel:
        kernels.append(Kernel(str(container.path)))
        return kernels[-1]

    yield factory
    for kernel in kernels:
        kernel.close()
