"""GC of every plugin and of the chain: what a network owns and nobody claims is gone.

In the tables of both families, inet and bridge, and in IPAM.
"""

import json
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import Answer

SUBNETS = ("10.1.0.0/24", "fd01::/64")


def chain(host: Host, name: str = "net", subnets: tuple[str, ...] = SUBNETS, **keys: Any) -> Network:
    return host.network(
        bridge(host.data, *subnets, ipMasq=True, macspoofchk=True, **keys), PORTMAP, name=name
    )


def add(net: Network, *names: str, ifname: str = "eth0") -> None:
    for name in names:
        container = next(
            (made for made in net.host.children if made.name == name), None
        ) or net.host.container(name)
        net.add(container, ifname, portMappings=[mapping(8000 + int(name[1:]) * 10 + int(ifname[3:]))])  # type: ignore[arg-type]


def collected(net: Network, *valid: tuple[str, str], key: str = "cni.dev/valid-attachments") -> list[Answer]:
    """The answers of a whole chain to GC."""
    attachments = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid]
    return [net.host.call("GC", {**net.derived(config), key: attachments}) for config in net.plugins]


def lines_of(host: Host, *names: str) -> list[str]:
    """What of these attachments is there, in links, rules and files."""
    return [
        line
        for line in host.state()
        for name in names
        if f"/{name}" in line or repr(name.replace("/", "\r\n")) in line
    ]


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_gc_keeps_each_listed_interface_and_no_other(host: Host, key: str) -> None:
    """1.9 GC: by container ID and ifname, under either name of the list."""
    net = chain(host)
    add(net, "c1", "c2", "c3")
    kept = host.state()
    add(net, "c1", ifname="eth1")
    add(net, "c4")
    assert lines_of(host, "c1/eth1", "c4/eth0")
    answers = collected(net, ("c1", "eth0"), ("c2", "eth0"), ("c3", "eth0"), key=key)
    assert [answer.exit_code for answer in answers] == [0, 0], answers
    assert host.state() == kept


def test_gc_with_nothing_alive_leaves_what_is_shared(host: Host) -> None:
    """1.9 GC: an empty list is meaningful.

    The node is as after the DEL of everybody, without the chains that nobody needs any more.
    """
    net = chain(host)
    add(net, "c1")
    net.delete(host.children[0])  # type: ignore[arg-type]
    before = host.state()
    add(net, "c1", "c2")
    assert collected(net) == [Answer(0, None, "")] * 2
    gone = before - host.state()
    assert host.state() < before
    assert {line.split()[5] for line in gone} == {"outside4-24", "outside6-64", "hairpin4-24", "hairpin6-64"}
    assert {line.split()[2] for line in gone} == {"chain", "rule"}


@pytest.mark.parametrize(
    "keys",
    [
        {"cni.dev/valid-attachments": None, "cni.dev/attachments": None},
        {"cni.dev/valid-attachments": None},
        {"cni.dev/attachments": None},
        {"CNI.dev/Valid-Attachments": None},
    ],
    ids=str,
)
def test_gc_with_null_is_gc_with_an_empty_list(host: Host, keys: dict[str, None]) -> None:
    """libcni sends a nil slice when nothing is alive, and so does CRI-O after a reboot.

    To every plugin and to IPAM.
    """
    net = chain(host)
    add(net, "c1", "c2")
    assert lines_of(host, "c1/eth0", "c2/eth0")
    for config in net.plugins:
        assert host.call("GC", {**net.derived(config), **keys}) == Answer(0, None, "")
    assert not lines_of(host, "c1/eth0", "c2/eth0")
    alone = host.network({"type": "host-local", "ipam": net.plugins[0]["ipam"]})
    alone.add(host.children[0])  # type: ignore[arg-type]
    assert host.call("GC", {**alone.derived(alone.plugins[0]), **keys}) == Answer(0, None, "")
    assert not lines_of(host, "c1/eth0")


def test_gc_takes_the_list_before_the_null(host: Host) -> None:
    """One of the two names is null, the other is not: somebody is alive."""
    net = chain(host)
    add(net, "c1", "c2")
    alive, names = (
        [{"containerID": "c1", "ifname": "eth0"}],
        ("cni.dev/valid-attachments", "cni.dev/attachments"),
    )
    for keys in (dict(zip(names, (None, alive), strict=True)), dict(zip(names, (alive, None), strict=True))):
        for config in net.plugins:
            assert host.call("GC", {**net.derived(config), **keys}) == Answer(0, None, "")
        assert lines_of(host, "c1/eth0")
        assert not lines_of(host, "c2/eth0")


def test_gc_spares_other_networks(host: Host) -> None:
    """Even one whose name begins alike, on the same bridge and in the same table."""
    net, other = chain(host), chain(host, "net2", ("10.2.0.0/24",), bridge="br1")
    add(net, "c1")
    add(other, "c2")
    assert [answer.exit_code for answer in collected(net)] == [0, 0]
    assert not lines_of(host, "c1/eth0")
    other.check(host.children[1], portMappings=[mapping(8020)])  # type: ignore[arg-type]


def test_gc_after_the_containers_died(host: Host) -> None:
    """Their namespaces are gone, and with them their links; rules and reservations are not."""
    net = chain(host)
    add(net, "c1", "c2")
    for container in host.children:
        container.close()
    assert lines_of(host, "c1/eth0")
    assert [answer.exit_code for answer in collected(net)] == [0, 0]
    assert not lines_of(host, "c1/eth0", "c2/eth0")


@pytest.mark.parametrize(
    "command", ["flush ruleset", "delete table inet cniwire", "delete table bridge cniwire"]
)
def test_gc_after_the_rules_were_flushed(host: Host, command: str) -> None:
    """And once more, which finds nothing."""
    net = chain(host)
    add(net, "c1", "c2")
    host.run(f"nft {command}")
    for _ in range(2):
        assert [answer.exit_code for answer in collected(net)] == [0, 0]
        assert not lines_of(host, "c1/eth0", "c2/eth0")


def test_gc_goes_to_any_ipam_plugin_and_goes_on_after_its_failure(host: Host) -> None:
    """1.9 GC: forwarded with the list as it came; its error is reported, and what is ours is done."""
    result, error = (
        '{"cniVersion": "1.1.0", "ips": [{"address": "10.5.0.2/24"}]}',
        '{"code": 123, "msg": "busy"}',
    )
    folder = host.ipam(
        f"cat > {host.folder}/heard;"
        f" case $CNI_COMMAND in ADD) echo '{result}';; GC) echo '{error}'; exit 1;; esac"
    )
    net = host.network(bridge(isGateway=True, ipMasq=True, ipam={"type": "fake"}), suites={"fake": folder})
    net.add(host.container("c1"))
    config = {**net.derived(net.plugins[0]), "cni.dev/valid-attachments": []}
    answer = host.call("GC", config, CNI_PATH=str(folder))
    assert answer.exit_code == 1
    assert (answer.output["code"], answer.output["msg"]) == (123, "busy")
    assert json.loads((host.folder / "heard").read_text()) == config
    assert not lines_of(host, "c1/eth0")


@pytest.mark.parametrize(
    "entry", [{"containerID": "c1"}, {"ifname": "eth0"}, {"containerID": "", "ifname": "eth0"}, "c1/eth0", 7]
)
@pytest.mark.parametrize("number", [0, 1])
def test_gc_refuses_an_incomplete_entry_and_deletes_nothing(host: Host, number: int, entry: object) -> None:
    """What it was meant to keep would be deleted."""
    net = chain(host)
    add(net, "c1")
    before = host.state()
    answer = host.call("GC", {**net.derived(net.plugins[number]), "cni.dev/valid-attachments": [entry]})
    assert answer.exit_code == 1
    assert answer.output["code"] == 7
    assert "valid-attachments" in answer.output["msg"]
    assert host.state() == before


def test_gc_works_with_a_configuration_that_add_would_refuse(host: Host) -> None:
    """As DEL does."""
    net = chain(host)
    add(net, "c1")
    broken: dict[str, Any] = {
        "vlan": 5000,
        "mtu": "x",
        "hairpinMode": True,
        "promiscMode": True,
        "conditionsV4": [7],
        "timeoutSeconds": "soon",
    }
    net.plugins = [{**config, **broken} for config in net.plugins]
    assert [answer.exit_code for answer in collected(net)] == [0, 0]
    assert not lines_of(host, "c1/eth0")
