"""One suite of laws for both kernels: the real one, and the dictionary that stands for it in unit tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.address import V4, parse, parse_cidr
from core.attachment import host_ifname
from core.errors import GATEWAY_CONFLICT, INVALID_CONFIG, INVALID_NETNS, CNIError
from core.intent import MASQUERADE, NO_SPOOF, PUBLISH
from core.kernel.go_suite import ContainerLink
from core.kernel.kernel import Kernel
from core.kernel.switching import vlan_port
from core.nft import backend, ports
from core.nft.conditions import compile_words
from core.nft.names import BRIDGE, INET, TABLES, Element, Elements
from core.nft.rules import conditional, members
from core.plan.localnet import LocalnetRouting
from core.plan.records import (
    CONTAINER,
    HOST,
    Address,
    Bridge,
    Gateway,
    Link,
    NoAdvertisements,
    Port,
    Route,
    Sysctl,
    Up,
    veth,
)
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.publication import Mapping
from core.record import replace
from tests.harness.fake_kernel import World
from tests.harness.host import Host

OWNER, OTHER = "net/c1/eth0", "net/c2/eth0"
PORT = host_ifname(OWNER)
MAC = bytes.fromhex("020000000001")
VETH = veth(PORT, "eth0", OWNER, mac=MAC)
NET4, NET6 = parse_cidr("10.1.0.0/24"), parse_cidr("fd01::/64")
SPOOF_MAC, SPOOF = backend.spoof_elements(PORT, MAC, OWNER)
TAG = "0123abcd"  # of a condition
INET_TABLE, BRIDGE_TABLE = members(TABLES[INET]), members(TABLES[BRIDGE])
CONDITIONAL = conditional(V4, compile_words(["ip saddr 10.0.0.0/8"]), TAG, 1)
IPV6_ON = Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0")
FILTERING = "bridge VLAN filtering"


class Law(NamedTuple):
    """A record and what has to be there before it. exclusive: a second one is EEXIST; deletable: apply ever deletes it alone."""

    record: Any
    before: tuple[Any, ...] = ()
    exclusive: bool = True
    deletable: bool = True
    needs: str = ""


BASE = (Bridge("br0"), Up(HOST, "br0"))
WIRED = (*BASE, VETH)


def kept(record: Any, before: tuple[Any, ...] = ()) -> Law:
    """Made once, and never deleted by itself."""
    return Law(record, before, deletable=False)


def setting(record: Any, before: tuple[Any, ...] = (), needs: str = "") -> Law:
    """Written as often as one likes, and never deleted."""
    return Law(record, before, exclusive=False, deletable=False, needs=needs)


def port(
    number: int,
    container: str = "10.1.0.2",
    owner: str = OWNER,
    host_ip: str = "",
    protocol: str = "tcp",
    condition: str = "",
) -> Element:
    mapping = Mapping(protocol, parse(host_ip) if host_ip else b"", number, parse(container), 80, condition)
    return ports.port_element(mapping, owner)


LAWS: dict[str, Law] = {
    "bridge": Law(Bridge("br0")),
    "bridge with an MTU": Law(Bridge("br0", mtu=1400)),
    "bridge that filters VLANs": Law(Bridge("br0", vlan_filtering=True), needs=FILTERING),
    "bridge up": setting(Up(HOST, "br0"), (Bridge("br0"),)),
    "bridge deaf to routers": setting(NoAdvertisements("br0"), BASE),
    "promiscuous bridge": setting(Promiscuous("br0"), BASE),
    "IPv4 gateway": kept(Gateway("br0", parse_cidr("10.1.0.1/24")), BASE),
    "IPv6 gateway": kept(Gateway("br0", parse_cidr("fd01::1/64")), BASE),
    "host sysctl": setting(Sysctl(HOST, "net/ipv4/ip_forward", "1")),
    "sysctl of a link with a dot": setting(
        Sysctl(HOST, "net/ipv4/conf/br.0/arp_notify", "1"), (Bridge("br.0"),)
    ),
    "container sysctl": setting(Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0")),
    "veth": Law(VETH),
    "veth with everything": Law(veth(PORT, "eth0", OWNER, 1400, MAC)),
    "veth with an odd name": Law(
        veth("veth0123456789a", "e.th-0@x", "n" * 80 + "/" + "c" * 80 + "/" + "i" * 15)
    ),
    "port of a bridge": setting(Port(PORT, "br0"), WIRED),
    "port of a bridge with its flags": setting(Port(PORT, "br0", True, True, False), WIRED),
    "station behind a port": setting(Station(PORT, MAC), (*WIRED, Port(PORT, "br0", learning=False))),
    "VLAN gateway": Law(VlanGateway("br0.100", "br0", 100), BASE),
    "VLANs of a port": setting(
        PortVlans(PORT, ((100, True), (101, False))),
        (Bridge("br0", vlan_filtering=True), VETH, Port(PORT, "br0")),
        needs=FILTERING,
    ),
    "IPv4 address": kept(Address("eth0", parse_cidr("10.1.0.2/24")), WIRED),
    "IPv4 address of one": kept(Address("eth0", parse_cidr("10.1.0.2/32")), WIRED),
    "IPv6 address": kept(Address("eth0", parse_cidr("fd01::2/64")), (*WIRED, IPV6_ON)),
    "container link up": setting(Up(CONTAINER, "eth0"), WIRED),
    "table inet": setting(TABLES[INET]),
    "table bridge": setting(TABLES[BRIDGE]),
    **{
        f"member {number} of table inet": setting(member, INET_TABLE[:number])
        for number, member in enumerate(INET_TABLE)
        if number
    },
    **{
        f"member {number} of table bridge": setting(member, BRIDGE_TABLE[:number])
        for number, member in enumerate(BRIDGE_TABLE)
        if number
    },
    "outside chain": setting(backend.outside(NET4), INET_TABLE),
    "outside chain of IPv6": setting(backend.outside(NET6), INET_TABLE),
    "outside chain of whoever is alone": setting(backend.outside(parse_cidr("10.1.0.2/32")), INET_TABLE),
    "hairpin chain of IPv6": setting(ports.hairpin(NET6), INET_TABLE),
    "hairpin chain": setting(ports.hairpin(NET4), INET_TABLE),
    "hairpin for everybody": setting(ports.hairpin_any(), INET_TABLE),
    "conditional chain": setting(CONDITIONAL, INET_TABLE),
    "masquerade element": Law(
        backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0], (*INET_TABLE, backend.outside(NET4))
    ),
    "masquerade element of IPv6": Law(
        backend.masquerade_elements(parse_cidr("fd01::2/64"), OWNER)[0], (*INET_TABLE, backend.outside(NET6))
    ),
    "hairpin element": Law(
        ports.hairpin_any_element(parse("10.1.0.2"), OWNER), (*INET_TABLE, ports.hairpin_any())
    ),
    "network of an address": Law(
        backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[1], INET_TABLE
    ),
    "network of an IPv6 address": Law(
        ports.hairpin_elements(parse_cidr("fd01::2/128"), OWNER)[1], INET_TABLE
    ),
    "checked port": Law(SPOOF, BRIDGE_TABLE),
    "MAC of a checked port": Law(SPOOF_MAC, BRIDGE_TABLE),
    "port": Law(port(8080), INET_TABLE),
    "port of IPv6": Law(port(8080, "fd01::2", protocol="udp"), INET_TABLE),
    "port of one address": Law(port(8080, host_ip="127.0.0.1", protocol="sctp"), INET_TABLE),
    "port of one IPv6 address": Law(port(8080, "fd01::2", host_ip="2001:db8::1"), INET_TABLE),
    "port with a witness": Law(port(8080, owner=f"{OWNER} veth1234abcd"), INET_TABLE),
    "port with a condition": Law(port(8080, condition=TAG), (*INET_TABLE, CONDITIONAL)),
    "route_localnet": setting(
        LocalnetRouting(parse("10.1.0.2"), ("br0",)), (*BASE, Gateway("br0", parse_cidr("10.1.0.1/24")))
    ),
}
ROUTED = (*WIRED, Address("eth0", parse_cidr("10.1.0.2/24")), Up(CONTAINER, "eth0"))
ROUTED6 = (*WIRED, IPV6_ON, Address("eth0", parse_cidr("fd01::2/64")), Up(CONTAINER, "eth0"))
for name, wanted in {
    "default route": Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")),
    "route on the link": Route("eth0", parse_cidr("10.2.0.0/16")),
    "route with everything": Route(
        "eth0", parse_cidr("10.3.0.0/16"), parse("10.1.0.9"), 1000, 0, 5, 1300, 1200
    ),
    "route of link scope": Route("eth0", parse_cidr("10.4.0.0/16"), scope=253),
    "route in table 0": Route("eth0", parse_cidr("10.5.0.0/16"), table=0),
}.items():
    LAWS[name] = kept(wanted, ROUTED)
LAWS["IPv6 default route"] = kept(Route("eth0", parse_cidr("::/0"), parse("fd01::1")), ROUTED6)
LAWS["IPv6 route with everything"] = kept(
    Route("eth0", parse_cidr("fd03::/48"), parse("fd01::9"), 1000, 0, 5, 1300, 1200), ROUTED6
)

Factory = Callable[[], Any]


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


@pytest.fixture(params=LAWS)
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


@pytest.fixture
def kernel(opened: Factory, law: Law) -> Any:
    """A kernel with everything in place that the law's record needs; skipped where it can do none of it."""
    made = opened()
    if law.needs and isinstance(made, Kernel):
        probe(opened(), law)
    for record in law.before:
        made.create(record)
    return opened()  # one that has nothing in mind


def probe(kernel: Kernel, law: Law) -> None:
    """Skip where this kernel refuses a bridge that filters VLANs."""
    try:
        kernel.create(Bridge("probe", vlan_filtering=True))
    except OSError as error:
        pytest.skip(f"this kernel has no {law.needs}: {error.strerror}")
    kernel.delete(Bridge("probe"))


def test_what_was_created_is_found_as_it_was_meant(opened: Factory, kernel: Any, law: Law) -> None:
    """Every value that a record has stands in the kernel; before there was nothing, or something else."""
    assert kernel.find(law.record) != law.record or not law.exclusive
    kernel.create(law.record)
    assert kernel.find(law.record) == law.record
    assert opened().find(law.record) == law.record


def test_creating_it_again_is_refused_or_changes_nothing(opened: Factory, kernel: Any, law: Law) -> None:
    """EEXIST is the lock; a setting may be written as often as one likes."""
    kernel.create(law.record)
    if law.exclusive:
        with pytest.raises(FileExistsError):
            opened().create(law.record)
    else:
        opened().create(law.record)
    assert opened().find(law.record) == law.record


def test_deleting_it_twice_is_fine(opened: Factory, kernel: Any, law: Law) -> None:
    """The first time it says what was there, the second time nothing; before it existed neither."""
    if not law.deletable:
        return
    assert kernel.delete(law.record) == []
    kernel.create(law.record)
    assert len(opened().delete(law.record)) == 1
    assert opened().find(law.record) is None
    assert opened().delete(law.record) == []
    for record in law.before if isinstance(law.record, Element) else ():
        opened().create(record)  # a chain may have gone with its last element
    opened().create(law.record)
    assert opened().find(law.record) == law.record


def test_where_nothing_is_nothing_is_found(opened: Factory, law: Law) -> None:
    """CHECK on a host from which all is gone tells differences, not failures."""
    if isinstance(law.record, (Sysctl, LocalnetRouting)):  # where it cannot be, it is not missed
        return
    assert opened().find(law.record) in (
        None,
        replace(law.record, vlans=((1, True),)) if isinstance(law.record, PortVlans) else None,
    )


def test_what_it_stands_on_has_to_be_there(opened: Factory, law: Law) -> None:
    """An OSError, and nothing is made."""
    if not law.before or isinstance(law.record, (Sysctl, LocalnetRouting)) or law.needs:
        return
    with pytest.raises(OSError, match=r"."):
        opened().create(law.record)
    assert opened().find(law.record) is None


def test_deleting_a_veth_takes_along_what_stands_on_it(opened: Factory) -> None:
    """Addresses, routes and settings need no deletion of their own."""
    kernel = opened()
    for record in (*ROUTED, Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1"))):
        kernel.create(record)
    assert len(opened().delete(VETH)) == 1
    assert (opened().link(HOST, PORT), opened().link(CONTAINER, "eth0")) == (None, None)
    for record in ROUTED:
        opened().create(record) if record not in BASE else None
    assert opened().find(ROUTED[-2]) == ROUTED[-2]


def test_deleting_the_containers_link_takes_along_the_hosts(opened: Factory) -> None:
    """B-21: how an attachment goes that the Go plugins made."""
    for record in WIRED:
        opened().create(record)
    assert opened().delete(ContainerLink("eth0")) == ["eth0"]
    assert opened().link(HOST, PORT) is None
    assert opened().delete(ContainerLink("eth0")) == []


def test_a_veth_is_refused_for_either_name(opened: Factory) -> None:
    """U-6 B-63: and the one that is there stays as it was."""
    for record in WIRED:
        opened().create(record)
    before = opened().link(HOST, PORT)
    for clash in (replace(VETH, data=replace(VETH.data, name="eth1")), replace(VETH, name="vethother")):
        with pytest.raises(FileExistsError):
            opened().create(clash)
    assert opened().find(VETH) == VETH
    after = opened().link(HOST, PORT)
    assert (after.index, after.mac, after.alias) == (before.index, before.mac, before.alias)
    assert (opened().link(CONTAINER, "eth1"), opened().link(HOST, "vethother")) == (None, None)


def test_a_batch_of_elements_is_atomic(opened: Factory) -> None:
    """P-47: one key that is taken, and nothing of the batch is there."""
    opened().create(*INET_TABLE)
    opened().create(port(8080, owner=OTHER))
    with pytest.raises(FileExistsError):
        opened().create(port(1), port(8080), port(2))
    assert [opened().find(port(number)) for number in (1, 2)] == [None, None]
    assert opened().find(port(8080)).owner == OTHER


def test_mappings_that_have_a_chain_of_their_own_take_it_along(opened: Factory) -> None:
    """With its maps, and with the rule that leads to it."""
    elements = [port(number, condition=TAG) for number in (1, 2)]
    opened().create(*INET_TABLE, CONDITIONAL)
    opened().create(*elements)
    assert len(opened().delete(elements[0])) == 1
    assert opened().find(CONDITIONAL) == CONDITIONAL
    assert len(opened().delete(elements[1])) == 1
    assert (opened().find(CONDITIONAL), opened().find(CONDITIONAL.maps[0])) == (None, None)


def test_sweep_takes_what_nothing_needs_and_nothing_else(opened: Factory) -> None:
    used, unused = (
        backend.outside(NET4),
        [backend.outside(NET6), ports.hairpin(NET4), ports.hairpin_any(), CONDITIONAL],
    )
    opened().create(*INET_TABLE, used, *unused)
    opened().create(backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0])
    opened().sweep()
    assert [opened().find(chain) for chain in unused] == [None] * len(unused)
    assert [opened().find(member) for member in (*INET_TABLE, used)] == [*INET_TABLE, used]
    opened().sweep()


def test_an_element_that_jumps_nowhere_is_refused(opened: Factory) -> None:
    opened().create(*INET_TABLE)
    element = backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0]
    with pytest.raises(FileNotFoundError):
        opened().create(element)
    assert opened().find(element) is None


def test_replace_is_atomic(opened: Factory) -> None:
    """All of the old goes and all of the new comes, or everything stays."""
    opened().create(*INET_TABLE)
    old, new, foreign = port(8080, "10.1.0.9", OTHER), port(8080), port(9000, owner="net/c3/eth0")
    opened().create(old, foreign)
    with pytest.raises(FileExistsError):
        opened().replace([old], [new, port(9000)])
    assert opened().find(new).owner == OTHER
    with pytest.raises(FileNotFoundError):
        opened().replace([old, port(7)], [new])
    assert opened().find(new).owner == OTHER
    opened().replace([old], [new, port(9001)])
    assert (opened().find(new), opened().find(port(9001))) == (new, port(9001))
    assert opened().find(port(9000)).owner == "net/c3/eth0"


def test_an_element_of_somebody_else_is_not_deleted(opened: Factory) -> None:
    """U-4: the key is equal, the owner is not."""
    opened().create(*INET_TABLE)
    opened().create(port(8080, owner=OTHER))
    assert opened().delete(port(8080)) == []
    assert opened().find(port(8080)).owner == OTHER


def bare(record: Any) -> Any:
    """Without what a list of elements does not tell."""
    return replace(record, text="", about=None) if isinstance(record, Element) else record


def test_owned_lists_what_was_created_by_owner(opened: Factory) -> None:
    """Veths by their alias, elements by their comment; of this network alone."""
    kernel = opened()
    for table in (INET_TABLE, BRIDGE_TABLE):
        kernel.create(*table)
    for record in BASE:
        kernel.create(record)
    opened().create(VETH)
    opened().create(veth("vethforeign", "eth1", "network/c1/eth0"))
    opened().create(SPOOF_MAC, SPOOF)
    opened().create(
        port(1),
        port(2, "fd01::2", f"{OTHER} veth7"),
        port(3, owner="network/c1/eth0"),
        port(4, owner="other/net/eth0"),
    )
    kinds = (Elements(PUBLISH, ""), Elements(NO_SPOOF, ""), Link)
    found = [(owner, bare(record)) for owner, record in opened().owned("net", kinds)]
    assert sorted(found, key=repr) == sorted(
        [
            (OWNER, Link(HOST, PORT, "veth", OWNER)),
            (OWNER, bare(port(1))),
            (OTHER, bare(port(2, "fd01::2", f"{OTHER} veth7"))),
            (OWNER, bare(SPOOF)),
            (OWNER, bare(SPOOF_MAC)),
        ],
        key=repr,
    )
    assert opened().owned("nobody", kinds) == []
    for _, record in opened().owned("net", kinds):
        assert len(opened().delete(record)) <= 1
    assert opened().owned("net", kinds) == []
    assert opened().find(port(3)).owner == "network/c1/eth0"


def test_owned_where_there_are_no_tables_is_nothing(opened: Factory) -> None:
    assert opened().owned("net", (Elements(PUBLISH, ""), Elements(NO_SPOOF, ""), Link)) == []
    assert opened().delete(Elements(PUBLISH, OWNER)) == []
    assert opened().find(Elements(PUBLISH, OWNER)) is None


@pytest.mark.parametrize("count", [1, 201, 1000])
def test_elements_of_finds_many(opened: Factory, count: int) -> None:
    """P-19: more than fit one message or one datagram; with a witness behind the owner, and those of everybody."""
    opened().create(*INET_TABLE)
    opened().create(
        *[port(number, "fd01::2", f"{OWNER} veth1", "2001:db8::1") for number in range(1, count + 1)],
        port(1, owner=OTHER),
    )
    assert len(opened().elements_of(Elements(PUBLISH, OWNER))) == count
    assert len(opened().elements_of(Elements(PUBLISH, ""))) == count + 1
    assert opened().elements_of(Elements(MASQUERADE, OWNER)) == []
    assert len(opened().delete(Elements(PUBLISH, OWNER))) == count
    assert [each.owner for each in opened().elements_of(Elements(PUBLISH, ""))] == [OTHER]


def test_gateways_that_conflict(opened: Factory) -> None:
    """B-26 B-28: one IPv4 address a bridge unless forced; IPv6 networks stand side by side; the same one is EEXIST."""
    for record in BASE:
        opened().create(record)
    first, second = Gateway("br0", parse_cidr("10.1.0.1/24")), Gateway("br0", parse_cidr("10.2.0.1/24"))
    opened().create(first)
    with pytest.raises(FileExistsError):
        opened().create(first)
    with pytest.raises(CNIError) as refused:
        opened().create(second)
    assert refused.value.code == GATEWAY_CONFLICT
    opened().create(replace(second, force=True))
    assert (opened().find(first), opened().find(second) is not None) == (None, True)
    for each in ("fd01::1/64", "fd02::1/64"):
        opened().create(Gateway("br0", parse_cidr(each)))
    assert [
        opened().find(Gateway("br0", parse_cidr(each))) is not None for each in ("fd01::1/64", "fd02::1/64")
    ] == [True, True]


def test_a_bridge_that_is_none(opened: Factory) -> None:
    """B-62: an error that says what it is."""
    for record in WIRED:
        opened().create(record)
    with pytest.raises(CNIError, match=f"{PORT} exists and is not a bridge but a veth link") as refused:
        opened().find(Bridge(PORT))
    assert refused.value.code == INVALID_CONFIG


def test_a_required_setting_that_cannot_be_written_is_refused(opened: Factory) -> None:
    """and one that is not required is not."""
    with pytest.raises(OSError, match=r"No such file") as refused:
        opened().create(Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1"))
    assert refused.value.record == Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1")  # type: ignore[attr-defined]
    opened().create(Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1", required=False))


def test_a_batch_of_addresses_names_the_one_refused(opened: Factory) -> None:
    for record in WIRED:
        opened().create(record)
    good, bad = Address("eth0", parse_cidr("10.1.0.2/24")), Address("eth0", parse_cidr("10.1.0.3/24"))
    opened().create(bad)
    with pytest.raises(FileExistsError) as refused:
        opened().create(good, bad)
    assert refused.value.record == bad  # type: ignore[attr-defined]


def test_links_are_looked_up_by_name(opened: Factory) -> None:
    for record in (*ROUTED, Promiscuous("br0")):
        opened().create(record)
    kernel = opened()
    bridge, port_, inside = kernel.need(HOST, "br0"), kernel.need(HOST, PORT), kernel.need(CONTAINER, "eth0")
    assert (bridge.kind, bridge.up, port_.kind, port_.up, port_.alias, inside.mac, inside.mtu) == (
        "bridge",
        True,
        "veth",
        True,
        OWNER,
        MAC,
        1500,
    )
    assert (
        kernel.is_gone("net/c9/eth0"),
        kernel.is_gone(f"net/c9/eth0 {PORT}"),
        kernel.link(CONTAINER, PORT),
    ) == (True, False, None)
    assert kernel.port_is_up(PORT)
    assert kernel.addresses_settle("eth0")
    kernel.announce("eth0", MAC, [parse("10.1.0.2")], "br0")
    with pytest.raises(OSError, match=r"No such device"):
        kernel.need(HOST, "absent")


def test_without_a_container_there_is_nothing_inside(opened: Factory, host: Host) -> None:
    """B-24: DEL with an empty CNI_NETNS."""
    kernel = Kernel("") if isinstance(opened(), Kernel) else World().kernel("")
    assert kernel.netns is None
    assert kernel.link(CONTAINER, "eth0") is None
    assert kernel.find(Address("eth0", parse_cidr("10.1.0.2/24"))) is None
    with pytest.raises(FileNotFoundError):
        kernel.create(Up(CONTAINER, "eth0"))
    assert kernel.delete(ContainerLink("eth0")) == []


def test_a_path_that_is_no_namespace(host: Host, tmp_path: Path) -> None:
    """U-9 B-24: nothing there is one condition, something else there another; no descriptor stays open."""
    (tmp_path / "file").write_text("no namespace")
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path / "absent", tmp_path / "file" / "below"):
        with pytest.raises(FileNotFoundError):
            Kernel(str(path))
    for path in (
        tmp_path / "file",
        tmp_path,
        Path("/proc/self/ns/uts"),
        Path("/dev/null"),
        Path("/proc/self/status"),
    ):
        with pytest.raises(CNIError) as refused:
            Kernel(str(path))
        assert refused.value.code == INVALID_NETNS
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_veth_whose_port_cannot_be_set_leaves_nothing(host: Host) -> None:
    """One record, all or nothing: an alias that is too long for the kernel."""
    with Kernel(str(host.container().path)) as kernel:
        kernel.create(Bridge("br0"))
        with pytest.raises(OSError, match=r"."):
            kernel.create(replace(VETH, owner="x" * 300))
    with Kernel("") as kernel:
        assert kernel.link(HOST, PORT) is None


def test_the_pair_of_a_vlans_gateway(host: Host) -> None:
    """The bridge's end has the lower index by one, is up and a port; the gateway's end waits for its settings."""
    with Kernel("") as kernel:
        for record in (*BASE, VlanGateway("br0.100", "br0", 100)):
            kernel.create(record)
        gateway, port = (
            kernel.need(HOST, "br0.100"),
            kernel.need(HOST, vlan_port(VlanGateway("br0.100", "br0", 100))),
        )
        assert (gateway.peer, port.peer, gateway.index - port.index) == (port.index, gateway.index, 1)
        assert (gateway.up, port.up, port.master, gateway.master) == (
            False,
            True,
            kernel.need(HOST, "br0").index,
            0,
        )
    with Kernel("") as kernel, pytest.raises(FileExistsError):
        kernel.create(VlanGateway("br0.100", "br0", 100))
