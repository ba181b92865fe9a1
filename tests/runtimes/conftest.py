"""Runtimes that nobody here wrote, unmodified, each in a private fake host on our executables alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.lab import libc, mount
from tests.harness.host import Host
from tests.runtimes import images
from tests.runtimes.containerd import NETWORK, PAGE, Containerd
from tests.runtimes.containers import Podman, Tool
from tests.runtimes.daemon import MNT_DETACH, SEEN, group, inside
from tests.runtimes.documents import place
from tests.runtimes.hooks import Command
from tests.runtimes.node import Node, furnished
from tests.runtimes.plugin_directory import witnessed

WITNESS = "plugins that a runtime could find"


@pytest.fixture
def node(request: pytest.FixtureRequest, host: Host, plugins: Path) -> Iterator[Node]:
    """A host on which runtimes find our executables and nothing else, before the test and after it."""
    with furnished(host, plugins) as made:
        before = witnessed(plugins)
        yield made
        assert witnessed(plugins) == before
        request.node.user_properties.append((WITNESS, before))


@pytest.fixture
def command(node: Node, plugins: Path) -> Command:
    """The `cniwire` command under test."""
    return Command(plugins, node.folder)


@pytest.fixture
def containerd(node: Node) -> Iterator[Containerd]:
    """containerd, with the network for pods that its page shows."""
    place(PAGE, NETWORK)
    with group() as control, Containerd(control, node.folder / "containerd") as started:
        yield started


@pytest.fixture
def podman(node: Node) -> Iterator[Podman]:
    """Podman, with the image `localhost/box`."""
    if Path("/proc/self/uid_map").read_text().split()[:2] != ["0", "0"]:
        pytest.skip("Podman of a user namespace keeps networks and namespaces in its user's folders")
    started = Podman(node.folder / "podman")
    if lacks := started.obstacle():
        pytest.skip(f"podman: {lacks}")
    mount("tmpfs", str(SEEN), "tmpfs")
    started.load()
    try:
        yield started
    finally:
        started("rm", "--force", "--all", "--time", "0")
        libc.umount2(os.fsencode(SEEN), MNT_DETACH)


@pytest.fixture
def buildah(node: Node) -> Iterator[Tool]:
    """Buildah, with the image `localhost/box`."""
    with group() as control:
        folder = node.folder / "buildah"
        started = Tool("buildah", folder, runtime="runc", cgroups="enabled", prefix=inside(control))
        started("pull", "--quiet", f"docker-archive:{images.archive(folder)}")
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The log shows which plugins there were for each module of tests."""
    seen: dict[str, set[str]] = {}
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", ()):
            if name == WITNESS:
                seen.setdefault(str(value), set()).add(Path(report.fspath).stem.removeprefix("test_"))
    for value, runtimes in seen.items():
        terminalreporter.write_line(f"{', '.join(sorted(runtimes))}: {value}")
