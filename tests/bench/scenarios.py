"""What is measured.

Each scenario runs both suites in turn, A B A B, on nodes of their own, and notes a sample a round and row.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from tests.bench import chain, defaults
from tests.bench.chain import Chain
from tests.bench.node import Attachment, Json, Node, Sample, Suite


class Size(NamedTuple):
    """How much is measured; the short form only proves that every scenario works."""

    rounds: int
    containers: tuple[int, ...]
    reservations: tuple[int, ...]
    mappings: int
    at_once: int


FULL = Size(
    rounds=15, containers=(10, 100, 500), reservations=(10, 1_000, 60_000), mappings=2_000, at_once=20
)
SHORT = Size(rounds=1, containers=(3,), reservations=(10, 300), mappings=40, at_once=4)


EMPTY = "ours on an empty node"


class Row(NamedTuple):
    """A line of the table: what was there, and what was done. unit: ms, or 1/s where more is better."""

    scenario: str
    verb: str
    unit: str = "ms"


class Bench:
    """The suites, how often they are called, and every sample: row, suite, then one a round."""

    def __init__(self, suites: tuple[Suite, ...], size: Size, tell: Callable[[str], None]):
        self.suites, self.size, self.tell = suites, size, tell
        self.samples: dict[Row, dict[str, list[Sample]]] = {}
        self.peaks: dict[Row, dict[str, int]] = {}

    def note(self, row: Row, node: Node, sample: Sample) -> None:
        """Keep one sample; in the round that is weighed only its memory."""
        if node.weigh:
            peaks = self.peaks.setdefault(row, {})
            peaks[node.suite.name] = max(peaks.get(node.suite.name, 0), sample.peak_kib)
        else:
            self.samples.setdefault(row, {}).setdefault(node.suite.name, []).append(sample)

    @contextmanager
    def nodes(self, scenario: str, besides: tuple[Suite, ...] = ()) -> Iterator[list[Node]]:
        """A fresh node for each suite."""
        self.tell(f"{scenario}: nodes")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
            yield [stack.enter_context(Node(suite, Path(folder))) for suite in (*self.suites, *besides)]

    @contextmanager
    def full_and_empty(self, scenario: str) -> Iterator[tuple[list[Node], list[Node]]]:
        """A node for each suite, to be filled; and one more for ours, which stays empty.

        That one is called in the same rounds.
        """
        with self.nodes(scenario, (self.suites[0]._replace(name=EMPTY),)) as nodes:
            yield nodes[: len(self.suites)], nodes

    def replacements(
        self, scenario: str, nodes: list[Node] | None = None
    ) -> Iterator[tuple[Node, Attachment]]:
        """A container after the other, on each node in turn, A B A B.

        The first round warms up and weighs; it is not timed.
        """
        if nodes is None:
            with self.nodes(scenario) as fresh:
                yield from self.replacements(scenario, fresh)
            return
        self.tell(scenario)
        places = [node.container() for node in nodes]
        for number in range(self.size.rounds + 1):
            for node, place in zip(nodes, places, strict=True):
                node.weigh = number == 0
                yield node, node.successor(place)


def plugins_alone(bench: Bench) -> None:
    """loopback, the floor of what a call costs; host-local; bridge with it but without masquerade."""
    plain = Chain(masquerade=False)
    alone: dict[str, Callable[[Node], Json]] = {
        "loopback": chain.loopback,
        "host-local": chain.host_local,
        "bridge": plain.bridge,
    }
    for plugin, of in alone.items():
        name = f"{plugin} alone"
        for node, attachment in bench.replacements(name):
            if plugin == "bridge":
                bench.note(Row(name, "VERSION"), node, node.call("VERSION", of(node), attachment)[0])
            added, result = node.call("ADD", of(node), attachment)
            bench.note(Row(name, "ADD"), node, added)
            bench.note(Row(name, "CHECK"), node, node.call("CHECK", of(node), attachment, result)[0])
            bench.note(Row(name, "DEL"), node, node.call("DEL", of(node), attachment, result)[0])


def chains(bench: Bench) -> None:
    """Every chain: families, masquerade, ports, ours by iptables; and portmap's part of it."""
    by_iptables = [Chain(families, iptables=True) for families in chain.SUBNETS]
    for each in [*[Chain(*keys) for keys in product(chain.SUBNETS, (True, False), (1, 3, 20))], *by_iptables]:
        name = str(each)
        for node, attachment in bench.replacements(name):
            added, result = chain.add(node, each, attachment)
            bench.note(Row(name, "ADD"), node, added.both)
            bench.note(Row(name, "ADD portmap"), node, added.portmap)
            bench.note(Row(name, "CHECK bridge"), node, chain.check_bridge(node, each, attachment, result))
            if node.suite.checks_portmap:
                bench.note(
                    Row(name, "CHECK portmap"), node, chain.check_portmap(node, each, attachment, result)
                )
            deleted = chain.delete(node, each, attachment, result)
            bench.note(Row(name, "DEL"), node, deleted.both)
            bench.note(Row(name, "DEL portmap"), node, deleted.portmap)


def default_networks(bench: Bench) -> None:
    """All that a container of Podman's, and a pod of Kubernetes', goes through; and each plugin's part."""
    for name, of in defaults.NETWORKS.items():
        for node, attachment in bench.replacements(name):
            plugins = of(node)
            added, results = defaults.add(node, plugins, attachment)
            deleted = defaults.delete(node, plugins, attachment, results)
            for verb, costs in (("ADD", added), ("DEL", deleted)):
                first, *others = costs.values()
                bench.note(Row(name, verb), node, sum(others, first))
                for plugin, sample in costs.items():
                    bench.note(Row(name, f"{verb} {plugin}"), node, sample)


def full_nodes(bench: Bench) -> None:
    """The chain on a node that has many containers already."""
    each = Chain()
    with bench.full_and_empty("containers already there") as (full, nodes):
        present = 0
        for containers in bench.size.containers:
            name = f"chain, {containers} containers there"
            for slot, node in product(range(present + 1, containers + 1), full):
                node.weigh = False
                chain.add(node, each, node.container(), slot)
            present = containers
            for node, attachment in bench.replacements(name, nodes):
                added, result = chain.add(node, each, attachment)
                bench.note(Row(name, "ADD"), node, added.both)
                bench.note(Row(name, "DEL"), node, chain.delete(node, each, attachment, result).both)


def reservations(bench: Bench) -> None:
    """host-local with many reservations: the next address free, and all of them tried before one is."""
    first = IPv4Address("10.60.0.2")
    for count in bench.size.reservations:
        with bench.full_and_empty(f"{count} reservations") as (full, nodes):
            for node in full:
                directory = node.data / "bench"
                directory.mkdir(parents=True)
                for number in range(count):
                    (directory / str(first + number)).write_text(f"old{number}\r\neth0")
            for last, tried in ((first + count - 1, "next free"), (first, "all tried")):
                name = f"host-local, {count} reserved, {tried}"
                for node, attachment in bench.replacements(name, nodes):
                    if node in full:
                        (node.data / "bench" / "last_reserved_ip.0").write_text(str(last))
                    for verb in ("ADD", "DEL"):
                        bench.note(
                            Row(name, verb), node, node.call(verb, chain.host_local(node), attachment)[0]
                        )


def mappings(bench: Bench) -> None:
    """portmap on a node with many mappings, twenty for each container."""
    twenty, one = Chain(ports=20), Chain(ports=1)
    for there in (0, bench.size.mappings):
        name = f"portmap, {there} mappings there"
        with bench.full_and_empty(name) as (full, nodes):
            for node in nodes:
                node.run("ip link add bench0 type bridge && ip link set bench0 up")
                node.run("ip address add 10.60.0.1/16 dev bench0")
            for node, slot in product(full, range(1, there // 20 + 1)):
                node.call("ADD", twenty.portmap(node, slot), node.container(), addressed(slot))
            for node, attachment in bench.replacements(name, nodes):
                for verb in ("ADD", "CHECK", "DEL"):
                    if verb != "CHECK" or node.suite.checks_portmap:
                        bench.note(
                            Row(name, verb),
                            node,
                            node.call(verb, one.portmap(node), attachment, addressed(0))[0],
                        )


def addressed(slot: int) -> Json:
    """The result that bridge would have handed on for the container in *slot*."""
    address = f"{IPv4Address('10.60.1.0') + slot}/16"
    return {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "sandbox": "/proc/1/ns/net"}],
        "ips": [{"address": address, "interface": 0}],
    }


def at_once(bench: Bench) -> None:
    """As many ADDs of the chain at the same time, as ADDs per second; the bridge is there already."""
    each = Chain()
    row = Row(f"chain, {bench.size.at_once} ADDs at once", "ADD", "1/s")
    with bench.nodes(row.scenario) as nodes:
        crowds = {node.suite.name: [node.container() for _ in range(bench.size.at_once)] for node in nodes}
        for node, _ in bench.replacements(row.scenario, nodes):
            weigh, node.weigh = node.weigh, False
            crowd = crowds[node.suite.name] = [
                node.successor(attachment) for attachment in crowds[node.suite.name]
            ]
            with ThreadPoolExecutor(len(crowd)) as pool:
                started = perf_counter()
                jobs = [
                    pool.submit(chain.add, node, each, attachment, slot)
                    for slot, attachment in enumerate(crowd)
                ]
                made = [job.result() for job in jobs]
                per_second = len(crowd) / (perf_counter() - started)
            for slot, (attachment, (_, result)) in enumerate(zip(crowd, made, strict=True)):
                chain.delete(node, each, attachment, result, slot)
            if not weigh:
                bench.note(
                    row, node, Sample(per_second, sum(costs.both.cpu_ms for costs, _ in made) / len(crowd))
                )


def fresh_nodes(bench: Bench) -> None:
    """The first ADD that a node ever sees: no bridge, no rules, no directory."""
    each = Chain()
    for number in range(bench.size.rounds + 1):
        with bench.nodes("chain, first ADD on a fresh node") as nodes:
            for node in nodes:
                node.weigh = number == 0
                costs, _ = chain.add(node, each, node.container())
                bench.note(Row("chain, fresh node", "first ADD"), node, costs.both)


ALL = (plugins_alone, chains, default_networks, full_nodes, reservations, mappings, at_once, fresh_nodes)
