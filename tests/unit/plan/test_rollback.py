"""A failure at whatever point of ADD leaves nothing of the attachment.

Every plugin, every create, on the fake kernel.
"""

import errno
from pathlib import Path
from typing import Any

import pytest

from core.errors import INTERFACE_EXISTS, KERNEL_REFUSED, PORT_TAKEN, TRY_AGAIN_LATER
from tests.harness.configs import bridge, mapping
from tests.harness.fake_kernel.world import World
from tests.harness.requests import call, made, refused

V4, V6 = "10.1.0.0/24", "fd01::/64"
ERRNOS: tuple[int, ...] = (
    errno.EPERM,
    errno.ENOENT,
    errno.EINTR,
    errno.EAGAIN,
    errno.EBUSY,
    errno.EEXIST,
    errno.ENODEV,
    errno.EINVAL,
)
ERRNOS += (errno.ENOSPC, errno.EOPNOTSUPP, errno.ENOBUFS, errno.ENETUNREACH)
SWITCHES: dict[str, dict[str, Any]] = {
    "bare": {},
    "all flags": {"mtu": 1400, "hairpinMode": True, "portIsolation": True, "macspoofchk": True},
    "promiscuous": {"promiscMode": True},
    "disabled": {"disableContainerInterface": True, "macspoofchk": True},
    "access VLAN": {"vlan": 100},
    "trunk": {"vlanTrunk": [{"id": 101}, {"minID": 200, "maxID": 203}]},
    "access VLAN and trunk, default kept": {
        "vlan": 100,
        "vlanTrunk": [{"id": 101}],
        "preserveDefaultVlan": True,
    },
}
ROUTED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "IPv4": ((V4,), {}),
    "IPv6": ((V6,), {}),
    "dual": ((V4, V6), {}),
    "dual, several ranges": ((V4, V6, "fd02::/64"), {}),
    "masquerade": ((V4, V6), {"ipMasq": True}),
    "masquerade and spoof check": ((V4, V6), {"ipMasq": True, "macspoofchk": True, "hairpinMode": True}),
    "duplicate detection": ((V6,), {"enabledad": True}),
    "gateway of a VLAN": ((V4, V6), {"vlan": 100, "ipMasq": True, "macspoofchk": True}),
    "no gateway": ((V4, V6), {"isDefaultGateway": False, "ipMasq": True}),
    "forced": ((V4,), {"forceAddress": True}),
    "promiscuous": ((V4,), {"promiscMode": True, "mtu": 1400}),
}
MAPPINGS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "tcp, udp, sctp": ([mapping(8080), mapping(5353, 53, "udp"), mapping(9, 9, "sctp")], {}),
    "range": ([mapping(8000, 80, range=10)], {}),
    "host addresses": (
        [
            mapping(1, hostIP="127.0.0.1"),
            mapping(2, hostIP="2001:db8::1"),
            mapping(3, hostIP="0.0.0.0"),
            mapping(4, hostIP="::"),
        ],
        {},
    ),
    "no snat": ([mapping(8080)], {"snat": False}),
    "masqAll": ([mapping(8080)], {"masqAll": True}),
    "conditions": (
        [mapping(8080, range=3)],
        {"conditionsV4": ["ip saddr 10.0.0.0/8"], "conditionsV6": ["ip6 saddr fd00::/8", "tcp dport 80"]},
    ),
}


def cases() -> list[Any]:
    """(previous plugins' configurations, the one under test) of every handler in every shape."""
    found = [pytest.param((), bridge(**keys), (), id=f"bridge L2: {name}") for name, keys in SWITCHES.items()]
    found += [
        pytest.param((), keys, subnets, id=f"bridge L3: {name}") for name, (subnets, keys) in ROUTED.items()
    ]
    for name, (mappings, keys) in MAPPINGS.items():
        config = {"type": "portmap", "runtimeConfig": {"portMappings": mappings}, **keys}
        found.append(pytest.param((V4, V6), config, (), id=f"portmap: {name}"))
    return found


class Bench:
    """One world and the plugins in it.

    *before* is called in front of the plugin under test, which is handed its result.
    """

    def __init__(
        self, folder: Path, before: tuple[str, ...], config: dict[str, Any], subnets: tuple[str, ...]
    ) -> None:
        self.data = folder / "networks"
        self.world = World()
        self.before = bridge(self.data, *before) if before else None
        self.config = bridge(self.data, *subnets, **config) if subnets else config

    def prepare(self, container: str) -> dict[str, Any]:
        """The configuration of the plugin under test, behind whatever comes in front of it."""
        config = dict(self.config)
        if self.before:
            config["prevResult"] = made(self.world, "ADD", self.before, container)
        ports = config.get("runtimeConfig", {}).get("portMappings", [])
        if container != "c1":
            config["runtimeConfig"] = {
                "portMappings": [{**port, "hostPort": port["hostPort"] + 20000} for port in ports]
            }
        return config

    def state(self) -> Any:
        """Everything that is there: records, links, reservations.

        But for the container's `lo`, which belongs to no attachment: IPv6, once on, stays on there.
        """
        reserved = {
            file.name: file.read_bytes()
            for file in self.data.glob("net/*[.:][0-9a-f]*")
            if not file.name.startswith("last")
        }
        return {
            key: item
            for key, item in self.world.state().items()
            if "net/ipv6/conf/lo/disable_ipv6" not in key
        }, reserved

    def leftover(self, shared: set[Any]) -> list[Any]:
        """Records that were not there before and are not shared."""
        return [record for key, record in self.world.records.items() if key not in shared]


@pytest.mark.parametrize(("before", "config", "subnets"), cases())
def test_add_that_fails_at_any_create_leaves_what_was_there(
    tmp_path: Path, before: tuple[str, ...], config: dict[str, Any], subnets: tuple[str, ...]
) -> None:
    """B-34 B-35 P-44: with every errno one JSON error, owned objects as before, the addresses released.

    Then ADD succeeds.
    """
    bench = Bench(tmp_path, before, config, subnets)
    world = bench.world
    made(world, "ADD", bench.prepare("c0"), "c0")  # from here on everything shared is there
    request = bench.prepare("c1")
    state = bench.state()
    count = creates(bench, request)
    assert count > 0
    assert bench.state() == state
    for number in ERRNOS:
        for step in range(1, count + 1):
            world.fail_at, world.fail_with = world.created + step, number
            code, answer = call(world, "ADD", request)
            created, world.fail_at = world.created, 0
            assert created >= step
            if code == 0:  # what is best effort may fail
                made(world, "DEL", request)
            else:
                assert answer["code"] == (TRY_AGAIN_LATER if number in (4, 11, 16, 105) else answer["code"])
                assert answer["code"] in (KERNEL_REFUSED, TRY_AGAIN_LATER, INTERFACE_EXISTS)
                assert answer["msg"].startswith(("cannot create ", "cannot replace "))
            assert bench.state() == state
    made(world, "ADD", request)


def creates(bench: Bench, request: dict[str, Any]) -> int:
    """How many records an ADD creates; it is undone by DEL."""
    before = bench.world.created
    made(bench.world, "ADD", request)
    count = bench.world.created - before
    made(bench.world, "DEL", request)
    return count


@pytest.mark.parametrize(("before", "config", "subnets"), cases())
def test_add_that_fails_on_a_fresh_host_leaves_shared_objects_only(
    tmp_path: Path, before: tuple[str, ...], config: dict[str, Any], subnets: tuple[str, ...]
) -> None:
    """B-34 B-35: the first ADD ever makes the bridge, tables and chains as well; only those may stay."""
    whole = Bench(tmp_path / "whole", before, config, subnets)
    request = whole.prepare("c1")
    behind = len(whole.world.records)
    start = whole.world.created
    made(whole.world, "ADD", request)
    count = whole.world.created - start
    assert len(whole.world.records) > behind
    made(whole.world, "DEL", request)
    shared = set(whole.world.records)
    for step in range(1, count + 1):
        bench = Bench(tmp_path / str(step), before, config, subnets)
        request = bench.prepare("c1")
        reserved = bench.state()[1]
        bench.world.fail_at = bench.world.created + step
        if call(bench.world, "ADD", request)[0] == 0:
            made(bench.world, "DEL", request)
        assert bench.leftover(shared) == []
        assert bench.state()[1] == reserved


FINISHES = [
    ("bridge", {"port_is_up": False}, KERNEL_REFUSED),
    ("bridge", {"port_is_up": OSError(errno.EIO, "I/O")}, KERNEL_REFUSED),
    ("bridge", {"announce": OSError(errno.ENOBUFS, "No buffer space")}, TRY_AGAIN_LATER),
    ("bridge", {"announce": OSError(errno.ENETDOWN, "Network is down")}, KERNEL_REFUSED),
    ("bridge", {"addresses_settle": False}, KERNEL_REFUSED),
    (
        "bridge",
        {"addresses_settle": OSError(98, "duplicate address detection failed on eth0")},
        KERNEL_REFUSED,
    ),
    ("bridge", {"has_joined_groups": False}, KERNEL_REFUSED),
    ("bridge", {"has_joined_groups": OSError(errno.ENOBUFS, "No buffer space")}, TRY_AGAIN_LATER),
    ("bridge", {"announce": ZeroDivisionError("nobody foresaw this")}, 999),
    ("bridge", {"port_is_up": KeyboardInterrupt("stop")}, 999),
    ("portmap", {"forget_flows": ZeroDivisionError("nobody foresaw this")}, 999),
]


@pytest.mark.parametrize(("plugin", "failure", "code"), FINISHES, ids=str)
def test_add_that_fails_when_everything_is_made_leaves_what_was_there(
    tmp_path: Path, plugin: str, failure: dict[str, Any], code: int
) -> None:
    """B-34 B-35: whatever goes wrong behind the last create."""
    keys = {"ipMasq": True, "macspoofchk": True, "enabledad": True}
    ports = {"type": "portmap", "runtimeConfig": {"portMappings": [mapping(8080, protocol="udp")]}}
    bench = Bench(tmp_path, *(((), keys, (V4, V6)) if plugin == "bridge" else ((V4, V6), ports, ())))
    made(bench.world, "ADD", bench.prepare("c0"), "c0")
    request = bench.prepare("c1")
    state = bench.state()
    bench.world.fail_finish = failure
    assert refused(bench.world, "ADD", request)["code"] == code
    assert bench.state() == state
    bench.world.fail_finish = {}
    made(bench.world, "ADD", request)


def test_flows_that_cannot_be_flushed_are_no_failure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """P-49: told on standard error only."""
    bench = Bench(
        tmp_path, (V4,), {"type": "portmap", "runtimeConfig": {"portMappings": [mapping(53, 53, "udp")]}}, ()
    )
    request = bench.prepare("c1")
    bench.world.fail_finish = {"forget_flows": OSError(errno.EOPNOTSUPP, "Operation not supported")}
    made(bench.world, "ADD", request)
    made(bench.world, "DEL", request)
    assert capfd.readouterr().err == "portmap: cannot flush UDP flows: Operation not supported\n" * 2


def test_a_second_add_leaves_the_first(tmp_path: Path) -> None:
    """B-63 H-3: refused before IPAM is asked, and nothing of the first is undone."""
    bench = Bench(tmp_path, (), {"ipMasq": True}, (V4,))
    made(bench.world, "ADD", bench.config)
    state = bench.state()
    assert refused(bench.world, "ADD", bench.config)["code"] == INTERFACE_EXISTS
    assert refused(bench.world, "ADD", bench.config, CNI_NETNS="/netns/other")["code"] == INTERFACE_EXISTS
    assert bench.state() == state


def test_a_taken_port_is_refused_by_its_owners_name_and_nothing_is_published(tmp_path: Path) -> None:
    """P-47: the whole batch is refused, the free ports too."""
    bench = Bench(
        tmp_path, (V4,), {"type": "portmap", "runtimeConfig": {"portMappings": [mapping(8080)]}}, ()
    )
    made(bench.world, "ADD", bench.prepare("c1"))
    second = {**bench.config, "prevResult": made(bench.world, "ADD", bench.before or {}, "c2")}
    second["runtimeConfig"] = {"portMappings": [mapping(1), mapping(8080), mapping(9000)]}
    state = bench.state()
    error = refused(bench.world, "ADD", second, "c2")
    assert (error["code"], "8080/tcp" in error["msg"], "net/c1/eth0" in error["msg"]) == (
        PORT_TAKEN,
        True,
        True,
    )
    assert bench.state() == state
