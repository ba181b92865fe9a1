"""F-5: containers in zones of firewalld."""

from collections.abc import Callable

import pytest

from core.address import parse
from core.errors import INVALID_CONFIG, KERNEL_REFUSED
from core.kernel import firewalld as home
from core.kernel.kernel import Kernel
from core.nft import zoned
from core.nft.names import TABLES
from core.plan import apply, difference, zones
from core.plan.records import Plan
from tests.harness.firewalld import MISSING, Firewalld
from tests.harness.host import Host
from tests.harness.traffic import ping
from tests.harness.zones import IP4, IP6, OTHER, OWNER, TEXT4, TEXT6, add, admitted, delete, left, refused

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def test_add_check_and_delete(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    add(kernel, admitted())
    assert firewalld.sources("trusted") == [TEXT4, TEXT6]
    assert 'elements = { 10.1.0.2 comment "net/c1/eth0 -" }' in host.run(
        "nft list set inet cniwire zoned4-32"
    )
    assert 'elements = { fd01::2 comment "net/c1/eth0 -" }' in host.run(
        "nft list set inet cniwire zoned6-128"
    )
    assert difference.check(kernel, admitted()) == []
    assert delete(kernel) == []
    assert (firewalld.sources("trusted"), left(host)) == ([], "")
    assert delete(kernel) == []


@pytest.fixture(scope="module")
def reaches(host: Host) -> Callable[[], bool]:
    """Whether a container reaches a machine on the host's other side; what was tracked is forgotten."""
    machine, container = host.outside(), host.container()
    host.run(f"ip link add veth1 type veth peer name eth0 netns {container.path}")
    host.run("ip address add 10.1.0.1/24 dev veth1; ip link set veth1 up")
    container.run("ip address add 10.1.0.2/24 dev eth0; ip link set eth0 up")
    container.run("ip route add default via 10.1.0.1")
    machine.run("ip route add 10.1.0.0/24 via 192.0.2.1")
    host.sysctl("net/ipv4/ip_forward", 1)

    def ask() -> bool:
        host.run("conntrack --flush")
        return bool(ping(container, "192.0.2.2", timeout_s=0.5))

    return ask


def test_what_comes_from_a_container_in_the_zone_is_forwarded(
    firewalld: Firewalld, kernel: Kernel, reaches: Callable[[], bool]
) -> None:
    """And what comes from any other is not."""
    assert not reaches()
    add(kernel, admitted())
    assert reaches()
    delete(kernel)
    assert not reaches()


def test_a_network_that_is_in_the_zone_for_good_survives(
    firewalld: Firewalld, kernel: Kernel, reaches: Callable[[], bool]
) -> None:
    """What docs/firewalld.md advises: then a reload cuts nobody off, and the plugin adds what it adds."""
    firewalld.permanently("addSource", "trusted", "10.1.0.0/24")
    firewalld.ask("reload", of="")
    try:
        add(kernel, admitted())
        firewalld.ask("reload", of="")
        assert firewalld.sources("trusted") == ["10.1.0.0/24"]
        assert reaches()
        assert delete(kernel) == []
    finally:
        firewalld.permanently("removeSource", "trusted", "10.1.0.0/24")


def test_add_takes_a_source_that_is_there_for_made(firewalld: Firewalld, kernel: Kernel) -> None:
    """The reference ignores ZONE_ALREADY_SET, too: a killed ADD may have left it."""
    firewalld.ask("addSource", "trusted", TEXT4)
    add(kernel, admitted())
    assert sorted(firewalld.sources("trusted")) == [TEXT4, TEXT6]
    assert delete(kernel) == []
    assert firewalld.sources("trusted") == []


def test_add_names_the_other_zone_of_an_address(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    """And leaves all as it was: that source, and nothing of the address before it."""
    firewalld.ask("addSource", "work", TEXT6)
    error = refused(kernel, admitted())
    assert (error.code, error.msg, error.details) == (
        INVALID_CONFIG,
        f'firewalldZone: want {TEXT6} in zone "trusted", but firewalld has it in "work"',
        f"firewall-cmd --zone=work --remove-source={TEXT6} lets it go",
    )
    assert delete(kernel) == []
    assert (firewalld.sources("trusted"), firewalld.sources("work"), left(host)) == ([], [TEXT6], "")


@pytest.mark.parametrize("zone", ["nix", "a zone", "ä" * 200, '"; drop'])
def test_add_names_a_zone_that_there_is_not(
    zone: str, firewalld: Firewalld, kernel: Kernel, host: Host
) -> None:
    error = refused(kernel, admitted(zone))
    assert (error.code, error.msg) == (INVALID_CONFIG, f'firewalldZone: firewalld has no zone "{zone}"')
    assert left(host) == ""


def test_add_hands_on_what_else_firewalld_says(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    firewalld.ask("enablePanicMode", of="")
    try:
        error = refused(kernel, admitted())
    finally:
        firewalld.ask("disablePanicMode", of="")
    told = f"cannot create ZoneSource(trusted, source {TEXT4}): firewalld: PANIC_MODE"
    assert (error.code, error.msg) == (KERNEL_REFUSED, told)
    assert left(host) == ""


def test_add_refuses_an_address_that_another_attachment_has_in_a_zone(
    firewalld: Firewalld, kernel: Kernel
) -> None:
    """Firewalld is not asked; and the DEL that follows a failed ADD takes nothing of the other's."""
    add(kernel, zones.admit([IP4.address], "work", f"{OTHER} -"))
    error = refused(kernel, admitted())
    assert error.msg == f"zoned4-32 element 10.1.0.2 is already taken by {OTHER}"
    assert delete(kernel) == []
    assert (firewalld.sources("work"), firewalld.sources("trusted")) == ([TEXT4], [])


def test_add_replaces_the_claim_of_who_is_gone(firewalld: Firewalld, kernel: Kernel) -> None:
    """Its host interface is no more; its source stays where it is needed again."""
    add(kernel, zones.admit([IP4.address], "trusted", f"{OTHER} veth123"))
    add(kernel, admitted())
    assert delete(kernel, OTHER) == []
    assert sorted(firewalld.sources("trusted")) == [TEXT4, TEXT6]


@pytest.mark.parametrize("made", range(1, 5))
def test_del_cleans_after_an_add_that_was_killed(
    made: int, firewalld: Firewalld, kernel: Kernel, host: Host
) -> None:
    """At any point: no source is made before its claim."""
    plan = admitted()
    add(kernel, Plan(plan.shared, plan.owned[:made]))
    assert delete(kernel) == []
    assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_add_after_an_add_that_was_killed_succeeds(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    add(kernel, admitted())
    add(kernel, admitted())
    assert delete(kernel) == []
    assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_del_finds_a_source_in_the_zone_to_which_it_was_moved(firewalld: Firewalld, kernel: Kernel) -> None:
    add(kernel, admitted())
    firewalld.ask("changeZoneOfSource", "work", TEXT4)
    assert difference.check(kernel, admitted())[0].startswith(
        f"{TEXT4} is not in zone trusted of firewalld any more: want ZoneSource(trusted"
    )
    assert delete(kernel) == []
    assert (firewalld.sources("work"), firewalld.sources("trusted")) == ([], [])


def test_check_sees_that_firewalld_was_loaded_anew(firewalld: Firewalld, kernel: Kernel) -> None:
    """It forgets what is not permanent (podman #5431); our claims stay, and DEL finds nothing wrong."""
    add(kernel, admitted())
    firewalld.ask("reload", of="")
    assert difference.check(kernel, admitted()) == [
        f"{text} is in no zone of firewalld any more: want ZoneSource(trusted, source {text}), found nothing"
        for text in (TEXT4, TEXT6)
    ]
    assert delete(kernel) == []


def test_gc_keeps_the_sources_of_who_is_valid(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    add(kernel, admitted())
    add(kernel, zones.admit([parse("10.1.0.3")], "work", f"{OTHER} -"))
    add(kernel, zones.admit([parse("10.9.0.3")], "work", "else/c3/eth0 -"))
    assert apply.gc(kernel, "net", zones.footprint(), {OTHER}) == []
    assert (firewalld.sources("trusted"), firewalld.sources("work")) == ([], ["10.1.0.3/32", "10.9.0.3/32"])
    assert apply.gc(kernel, "net", zones.footprint(), set()) == []
    assert firewalld.sources("work") == ["10.9.0.3/32"]


def test_what_another_suite_has_left_goes_with_the_addresses_of_prev_result(
    firewalld: Firewalld, kernel: Kernel
) -> None:
    """But for an address that an attachment of ours has meanwhile, and for what is in another zone."""
    for source in (TEXT4, TEXT6):
        firewalld.ask("addSource", "trusted", source)
    firewalld.ask("addSource", "work", "10.1.0.9/32")
    add(kernel, zones.admit([IP6.address], "trusted", f"{OTHER} -"))
    addresses = [IP4.address, IP6.address, parse("10.1.0.9"), parse("10.1.0.10")]
    assert home.inherited(kernel, OWNER, "trusted", addresses) == []
    assert (firewalld.sources("trusted"), firewalld.sources("work")) == ([TEXT6], ["10.1.0.9/32"])


def test_a_shared_chain_that_is_flushed_heals(firewalld: Firewalld, kernel: Kernel, host: Host) -> None:
    add(kernel, admitted())
    host.run("nft flush chain inet cniwire zones4-32")
    with Kernel("") as other:
        assert difference.check(other, admitted())[0].startswith("nft chain zones4-32 has other rules")
        add(other, zones.admit([parse("10.1.0.3")], "trusted", f"{OTHER} -"))
        assert difference.check(other, admitted()) == []
    assert zoned.chain(IP4.address) in admitted().shared
    assert TABLES["inet"] in admitted().shared
