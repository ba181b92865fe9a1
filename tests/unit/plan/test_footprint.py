"""The law that holds DEL to ADD: what plan() makes, footprint() covers.

And whatever plan() is given, it ends in a plan or a CNIError.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core import address
from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.errors import CNIError
from core.nft.names import Element, Elements
from core.plan import apply, difference
from core.plan.records import CONTAINER, Address, Link, Plan, Port, Route, Sysctl, Up
from core.plan.shaping import IngressHook, Queue, Redirect, TokenBucket
from core.plan.switching import PortVlans, Station
from core.plan.words import describe
from core.record import OWNED
from plugins import bandwidth, bridge, portmap
from tests.harness.fake_kernel.world import World

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,90}", fullmatch=True)
ifnames = st.from_regex(r"[a-z][a-z0-9.@-]{0,14}", fullmatch=True)
attachments = st.builds(Attachment, names, names, ifnames, st.just("/netns/c"))
macs = st.binary(min_size=5, max_size=5).map(lambda tail: b"\x02" + tail)


@st.composite
def cidrs(draw: Any) -> str:
    """An address with a prefix that leaves room for a host, of either family."""
    size = draw(st.sampled_from([4, 16]))
    packed = draw(st.binary(min_size=size, max_size=size))
    return f"{address.text(packed)}/{draw(st.integers(1, 8 * len(address.parse(address.text(packed)))))}"


bridges = st.fixed_dictionaries(
    {},
    optional={
        **{
            key: st.booleans()
            for key in (
                "isGateway",
                "isDefaultGateway",
                "forceAddress",
                "ipMasq",
                "macspoofchk",
                "enabledad",
                "portIsolation",
            )
        },
        **{
            key: st.booleans()
            for key in ("preserveDefaultVlan", "disableContainerInterface", "hairpinMode", "promiscMode")
        },
        "mtu": st.sampled_from([0, 1280, 9000]),
        "vlan": st.integers(0, 4094),
        "vlanTrunk": st.lists(st.builds(lambda each: {"id": each}, st.integers(1, 4094)), max_size=3),
        "ipam": st.sampled_from([{}, {"type": "host-local"}]),
    },
)
answers = st.builds(
    lambda ips, routes: {"ips": ips, "routes": routes},
    st.lists(
        st.fixed_dictionaries(
            {"address": cidrs()}, optional={"gateway": cidrs().map(lambda cidr: cidr.split("/")[0])}
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(
        st.fixed_dictionaries(
            {"dst": cidrs()}, optional={"gw": cidrs().map(lambda cidr: cidr.split("/")[0])}
        ),
        max_size=3,
    ),
)
mappings = st.lists(
    st.fixed_dictionaries(
        {"hostPort": st.integers(1, 65500), "containerPort": st.integers(1, 65500)},
        optional={
            "protocol": st.sampled_from(["tcp", "udp", "sctp"]),
            "range": st.integers(1, 9),
            "hostIP": st.sampled_from(["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"]),
        },
    ),
    min_size=1,
    max_size=4,
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "snat": st.booleans(),
        "masqAll": st.booleans(),
        "conditionsV4": st.just(["ip saddr 10.0.0.0/8"]),
        "conditionsV6": st.just(["tcp dport 80"]),
    },
)


def covered(record: object, footprint: tuple[object, ...], attachment: Attachment) -> bool:
    """Whether deleting *footprint* takes *record* along: by its identity, or with the link it stands on."""
    links = {(each.name, each.ifname) for each in footprint if isinstance(each, Link)}
    ends = {end for pair in links for end in pair}
    match record:
        case Link():
            return (record.name, record.ifname) in links
        case TokenBucket() | IngressHook():
            searched = [(each.owner, each.link) for each in footprint if type(each) is type(record)]
            return record.link in ends or (record.owner, "") in searched
        case Queue() | Redirect():  # with the bucket or the hook that it stands on
            return any(isinstance(each, TokenBucket | IngressHook) for each in footprint)
        case Element():
            mine = [each for each in footprint if isinstance(each, Elements) and each.owner == record.holder]
            return any(each.table == record.table and record.map.startswith(each.prefixes) for each in mine)
        case Sysctl():
            return any(part in ends for part in record.key.split("/"))
        case Up():
            return record.place == CONTAINER and record.link in ends
        case Address() | Route() | Port() | PortVlans():
            return record.link in ends
        case Station():
            return record.port in ends
    return False


def uncovered(made: Plan, footprint: tuple[object, ...], attachment: Attachment) -> list[object]:
    return [record for record in made.owned if not covered(record, footprint, attachment)]


def survived(work: Callable[[], Plan]) -> Plan | None:
    """The plan; None where the input was refused with a clear error, the only exception allowed."""
    try:
        return work()
    except CNIError:
        return None


@given(attachments, bridges, answers, macs)
def test_the_footprint_of_bridge_covers_what_it_owns(
    attachment: Attachment, config: dict[str, Any], ipam: dict[str, Any], mac: bytes
) -> None:
    """B-21 B-25 B-35: with any configuration, any names and any IPAM result."""
    footprint = bridge.footprint(attachment)

    def work() -> Plan:
        wanted = bridge.options(Section(config), "")
        parsed = result.parse(ipam if wanted.layer3 else None, "1.1.0")
        return bridge.plan(wanted, attachment, wanted.complete(parsed), mac)

    made = survived(work)
    if made:
        assert uncovered(made, footprint, attachment) == []
        assert all(record.dies_with_link or record.lifecycle == OWNED for record in made.owned)
        assert [
            text for text in map(describe, (*made.shared, *made.owned)) if "\\x" in text or len(text) > 2000
        ] == []


@given(
    attachments, mappings, conditions, st.lists(cidrs(), max_size=3), st.sampled_from(["", "veth7", "eth9"])
)
def test_the_footprint_of_portmap_covers_what_it_owns(
    attachment: Attachment, ports: list[dict[str, Any]], keys: dict[str, Any], ips: list[str], outside: str
) -> None:
    """P-28 P-45: with any mappings, conditions and witness."""
    footprint = portmap.footprint(attachment)
    config = Section({"runtimeConfig": {"portMappings": ports}, **keys})
    interfaces = [{"name": outside or attachment.host_ifname}, {"name": attachment.ifname, "sandbox": "/x"}]

    def work() -> Plan:
        parsed = result.parse(
            {"interfaces": interfaces, "ips": [{"address": each, "interface": 1} for each in ips]}, "1.1.0"
        )
        return portmap.plan(portmap.options(config), attachment, parsed)

    made = survived(work)
    if made:
        assert uncovered(made, footprint, attachment) == []
        keyed = [(record.map, record.key) for record in made.owned if isinstance(record, Element)]
        assert len(keyed) == len(set(keyed))


limits = st.tuples(st.integers(8, 2**64 - 1), st.integers(8, 2**34))


@given(attachments, st.none() | limits, st.none() | limits, ifnames)
def test_the_footprint_of_bandwidth_covers_what_it_owns(
    attachment: Attachment, taken: tuple[int, int] | None, sent: tuple[int, int] | None, link: str
) -> None:
    """W-7: whatever the rates, and whatever the link is called."""
    keys = {"ingressRate": taken, "egressRate": sent}
    given = {key: pair[0] for key, pair in keys.items() if pair}
    given |= {key.replace("Rate", "Burst"): pair[1] for key, pair in keys.items() if pair}
    made = bandwidth.plan(bandwidth.options(Section(given)), attachment, link)
    assert len(made.owned) == 2 * bool(taken) + 5 * bool(sent)
    assert uncovered(made, bandwidth.footprint(attachment), attachment) == []


@given(attachments, attachments, bridges)
def test_another_attachment_is_not_touched(
    one: Attachment, other: Attachment, config: dict[str, Any]
) -> None:
    """P-43 H-2: the footprints of two attachments share nothing."""
    if (one.network, one.container_id, one.ifname) == (other.network, other.container_id, other.ifname):
        return
    assert set(bridge.footprint(one)).isdisjoint(bridge.footprint(other))
    assert set(portmap.footprint(one)).isdisjoint(portmap.footprint(other))
    assert set(bandwidth.footprint(one)).isdisjoint(bandwidth.footprint(other))


@given(bridges.filter(lambda keys: "ipam" not in keys), macs)
def test_del_undoes_add_on_the_fake_kernel(config: dict[str, Any], mac: bytes) -> None:
    """B-21 B-23: what ADD made of its own is gone, and a second DEL finds nothing."""
    world, attachment = World(), Attachment("net", "c1", "eth0", "/netns/c1")
    kernel = world.kernel("/netns/c1")
    try:
        wanted = bridge.options(Section(config), "")
    except CNIError:
        return
    made = bridge.plan(wanted, attachment, wanted.complete(result.parse(None, "1.1.0")), mac)
    apply.add(kernel, made, lambda: None)
    assert difference.check(kernel, made) == []
    assert apply.delete(kernel, bridge.footprint(attachment)) == []
    assert [record for record in world.records.values() if record in made.owned] == []
    gone: list[object] = []
    assert apply.delete(kernel, bridge.footprint(attachment), gone) == []
    assert gone == []
