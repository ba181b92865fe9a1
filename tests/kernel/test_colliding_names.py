"""Names of host veths are 44 bits of a hash.

What has a name of ours may be somebody else's, and then stays theirs.
"""

import json

import pytest

from core.attachment import host_ifnames, newborn_group
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.other_ipam import install
from tests.harness.plugin import PluginError

ONE, OTHER = "c379037", "c4946829"  # on network net, with eth0, both have veth3886a2e176d as their first name
PORTS = {ONE: [mapping(8001)], OTHER: [mapping(8002)]}


def chain(host: Host, **keys: object) -> Network:
    return host.network(
        bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True, macspoofchk=True, **keys), PORTMAP
    )


def owned(host: Host, name: str) -> list[str]:
    """What there is of an attachment, in links, rules and files."""
    return [line for line in sorted(host.state()) if f"/{name}" in line or repr(f"{name}\r\neth0") in line]


def test_they_do_collide() -> None:
    assert host_ifnames(f"net/{ONE}/eth0")[0] == host_ifnames(f"net/{OTHER}/eth0")[0] == "veth3886a2e176d"
    assert len({*host_ifnames(f"net/{ONE}/eth0"), *host_ifnames(f"net/{OTHER}/eth0")}) == 7


@pytest.mark.parametrize("names", [(ONE, OTHER), (OTHER, ONE)])
def test_two_whose_names_collide_live_side_by_side(host: Host, names: tuple[str, str]) -> None:
    """Both pass CHECK, either may go first, and nothing stays."""
    net = chain(host)
    net.add(host.container("c0"), portMappings=[mapping(8000)])
    before = host.state()
    containers = [host.container(name) for name in names]
    for container in containers:
        net.add(container, portMappings=PORTS[container.name])
    for container in containers:
        net.check(container, portMappings=PORTS[container.name])
        with pytest.raises(PluginError) as refused:
            net.add(container, "eth0", portMappings=PORTS[container.name])
        assert refused.value.code == 102
    kept = owned(host, names[1])
    net.delete(containers[0])
    assert owned(host, names[1]) == kept
    net.check(containers[1], portMappings=PORTS[names[1]])
    net.delete(containers[1])
    assert host.state() == before


def test_del_of_an_attachment_that_never_was_leaves_the_other(host: Host) -> None:
    """Also after a refused ADD, with and without a namespace, by DEL and by GC."""
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one, portMappings=PORTS[ONE])
    before = host.state()
    for container in (other, OTHER):
        net.delete(container)
        assert host.state() == before
    broken = host.network({**net.plugins[0], "mtu": 70000}, PORTMAP)
    with pytest.raises(PluginError):
        broken.add(other)
    net.delete(other)
    assert host.state() == before
    net.gc(one)
    assert owned(host, ONE) == [
        line for line in sorted(before) if f"/{ONE}" in line or repr(f"{ONE}\r\neth0") in line
    ]


def test_an_add_that_fails_takes_back_its_own_link_alone(host: Host) -> None:
    """Rolled back once everything is made: the port of the second is taken by the first."""
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one, portMappings=PORTS[ONE])
    before = host.state(one)
    conflicting = chain(host, isGateway=True)
    conflicting.plugins = [
        {
            **net.plugins[0],
            "ipam": {**net.plugins[0]["ipam"], "routes": [{"dst": "10.9.0.0/16", "gw": "192.0.2.77"}]},
        },
        PORTMAP,
    ]
    with pytest.raises(PluginError):
        conflicting.add(other)
    assert host.state(one) == before


def test_gc_collects_the_one_and_not_the_other(host: Host) -> None:
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one, portMappings=PORTS[ONE])
    net.add(other, portMappings=PORTS[OTHER])
    kept = owned(host, OTHER)
    net.gc(other)
    assert owned(host, ONE) == []
    assert owned(host, OTHER) == kept
    net.check(other, portMappings=PORTS[OTHER])


@pytest.mark.parametrize("alias", ["", "somebody/elses/eth0"])
def test_a_link_of_somebody_else_keeps_its_name(host: Host, alias: str) -> None:
    """Made by hand, or another attachment's; nothing that we are called for takes it away."""
    first = host_ifnames(f"net/{ONE}/eth0")[0]
    host.run(
        f"ip link add {first} type veth peer name x0"
        + (f" && ip link set {first} alias {alias}" if alias else "")
    )
    net, one, other = chain(host), host.container(ONE), host.container("c0")
    net.add(other, portMappings=[mapping(8000)])
    before = host.state()
    net.add(one, portMappings=PORTS[ONE])
    net.check(one, portMappings=PORTS[ONE])
    net.delete(one)
    net.delete(one)
    assert host.state() == before
    net.add(one)
    net.gc(other)
    assert first in host.links()
    assert owned(host, ONE) == []


def test_when_all_names_are_taken_add_says_so_and_makes_nothing(host: Host) -> None:
    for number, name in enumerate(host_ifnames(f"net/{ONE}/eth0")):
        host.run(f"ip link add {name} type veth peer name x{number}")
    net, one = chain(host), host.container(ONE)
    before = host.state(one)
    with pytest.raises(
        PluginError,
        match=r"names that the host veth of net/c379037/eth0 may have are taken: veth3886a2e176d, veth",
    ) as refused:
        net.add(one)
    assert (refused.value.code, host.state(one)) == (102, before)
    net.delete(one)
    assert host.state(one) == before


def test_what_a_killed_add_left_without_its_alias_is_found_under_any_name(host: Host) -> None:
    """It was born in its owner's link group."""
    first, second, *_ = host_ifnames(f"net/{ONE}/eth0")
    host.run(f"ip link add {first} type veth peer name x0")
    host.run(f"ip link add {second} group {newborn_group(f'net/{ONE}/eth0')} type veth peer name x1")
    chain(host).delete(ONE)
    assert first in host.links()
    assert second not in host.links()


def test_one_that_is_just_being_made_is_not_taken_for_another_of_its_name(host: Host) -> None:
    """Another ADD has made its link and not yet set its alias.

    Our ADD is not refused for that link and our DEL leaves it; GC, which runs alone, deletes it.
    """
    net, one = chain(host), host.container(ONE)
    first, second, *_ = host_ifnames(f"net/{ONE}/eth0")
    host.run(f"ip link add {first} group {newborn_group(f'net/{OTHER}/eth0')} type veth peer name x0")
    net.add(one, portMappings=PORTS[ONE])
    assert second in host.links()
    net.check(one, portMappings=PORTS[ONE])
    net.delete(one)
    assert first in host.links()
    assert second not in host.links()
    net.gc()
    assert first not in host.links()


def test_a_port_whose_holder_died_is_taken_over_though_another_has_its_links_name(host: Host) -> None:
    """The name proves nothing by itself: the link there is another attachment's."""
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one, portMappings=PORTS[ONE])
    host.lose(one)
    net.add(other, portMappings=PORTS[OTHER])
    third = host.container("c3")
    net.add(third, portMappings=PORTS[ONE])
    net.check(third, portMappings=PORTS[ONE])


def test_who_comes_behind_a_dead_one_of_the_same_name_may_not_use_its_mac(host: Host) -> None:
    """What the spoof check allowed the dead one goes with it, before its DEL."""
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one)
    port = host.veth(f"net/{ONE}/eth0")
    host.run(f"ip link delete {port}")
    mac = next(each["mac"] for each in net.add(other)["interfaces"] if each["name"] == "eth0")
    allowed = [line for line in host.state() if "spoof_macs" in line and port in line]
    assert len(allowed) == 1
    assert mac in allowed[0]
    net.delete(one)
    net.check(other)


def test_two_that_choose_the_same_name_at_once_both_get_one(host: Host) -> None:
    """The other one is attached while the first, which has looked already, asks its IPAM for an address."""
    one, other = host.container(ONE), host.container(OTHER)
    net = chain(host)
    stdin = json.dumps({"cniVersion": "1.1.0", "name": "net", **net.plugins[0]})
    environ = f"CNI_COMMAND=ADD CNI_CONTAINERID={OTHER} CNI_NETNS={other.path} CNI_IFNAME=eth0"
    call = f"{environ} CNI_PATH={host.plugins} {host.plugins}/bridge"
    answer = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.77/24", "gateway": "10.1.0.1"}]}'
    folder = host.folder / "slow"
    folder.mkdir()
    only_once = f"[ $CNI_COMMAND = ADD ] || exit 0; echo '{stdin}' | {call} >&2 || exit 1"
    install(folder, f"{only_once}\necho '{answer}'")
    slow = host.network({**net.plugins[0], "ipam": {"type": "other"}}, suites={"other": folder})
    result = slow.add(one)
    names = {line.split()[2] for line in host.state() if line.startswith("host link veth")}
    assert names == {host_ifnames(f"net/{ONE}/eth0")[1], "veth3886a2e176d"}
    assert result["interfaces"][1]["name"] == host_ifnames(f"net/{ONE}/eth0")[1]
    slow.check(one)
    for name in (ONE, OTHER):
        assert len([line for line in owned(host, name) if "bridge cniwire spoof" in line]) == 2
    slow.delete(one)
    net.delete(other)
    assert owned(host, ONE) == owned(host, OTHER) == []


def test_who_gets_a_name_takes_only_what_stood_under_it(host: Host) -> None:
    """The one before lives on under its next name, and keeps what the spoof check allows it there."""
    net = chain(host)
    one, other = host.container(ONE), host.container(OTHER)
    net.add(one)
    name = host.veth(f"net/{ONE}/eth0")
    host.run(f"ip link delete {name} && ip link add {name} type bridge && rm {host.data}/net/*")
    net.add(one)
    assert len([line for line in owned(host, ONE) if "bridge cniwire spoof" in line]) == 4
    host.run(f"ip link delete {name}")
    assert net.add(other)["interfaces"][1]["name"] == name
    net.check(one)
    net.check(other)
    assert len([line for line in host.state() if "bridge cniwire spoof" in line and name in line]) == 2
