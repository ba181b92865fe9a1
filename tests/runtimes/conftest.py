"""Runtimes that nobody here wrote, unmodified, each in a private fake host on our executables alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.host import Host
from tests.runtimes.containerd import NETWORK, PAGE, Containerd
from tests.runtimes.daemon import group
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The log shows which plugins there were for each module of tests."""
    seen: dict[str, set[str]] = {}
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", ()):
            if name == WITNESS:
                seen.setdefault(str(value), set()).add(Path(report.fspath).stem.removeprefix("test_"))
    for value, runtimes in seen.items():
        terminalreporter.write_line(f"{', '.join(sorted(runtimes))}: {value}")
