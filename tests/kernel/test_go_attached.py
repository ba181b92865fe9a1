"""Containers that the Go plugins have attached, with all of them in the chain: our CHECK, DEL and GC."""

from pathlib import Path

import pytest

from core.attachment import hashed
from tests.harness import cniwire as cniwire_of_tests
from tests.harness import plugin
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.kernel.iptables import GO, VARIANTS, saved, use

SUBNETS = {"v4": ("10.1.0.0/24",), "dual": ("10.1.0.0/24", "fd01::/64")}
TUNED = {"mtu": 1400, "promisc": True, "allmulti": True, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}
LIMITED = {
    "ingressRate": 8_000_000,
    "ingressBurst": 800_000,
    "egressRate": 16_000_000,
    "egressBurst": 4_000_000,
}
PORTS = [mapping(8080), mapping(8080, 80, "udp")]
IFB = hashed(15, "bwp", "netc1")

pytestmark = pytest.mark.skipif(not (GO / "bridge").exists(), reason=f"there are no Go plugins in {GO}")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, host: Host, monkeypatch: pytest.MonkeyPatch) -> str:
    use(host, monkeypatch, request.param)
    return str(request.param)


def suites(host: Host, *subnets: str) -> tuple[Network, Network]:
    """The longest chain that both suites know: the Go suite's and ours, with one cache."""
    switch = bridge(host.data, *subnets, ipMasq=True, hairpinMode=True)
    tuning = {"type": "tuning", "dataDir": str(host.folder / "tuning"), **TUNED}
    plugins = [switch, PORTMAP, {"type": "firewall"}, tuning, {"type": "bandwidth", **LIMITED}]
    every = dict.fromkeys([*[str(each["type"]) for each in plugins], "host-local"], GO)
    theirs = host.network(*plugins, version="1.0.0", suites=every)
    ours = host.network(*plugins, version="1.0.0")
    ours.results = theirs.results
    return theirs, ours


def all_of(host: Host, variant: str, *others: Container) -> set[str]:
    """The state of the host and *others*, rules of either variant of iptables and backups of tuning."""
    rules = {f"{table} {each}" for table in ("nat", "filter") for each in saved(host, variant, table)}
    return {*host.state(*others), *rules, *[f"backup {path.name}" for path in backups(host)]}


def backups(host: Host) -> list[Path]:
    return list((host.folder / "tuning").glob("*"))


def admitting(lines: set[str]) -> set[str]:
    """Rules that accept one address; they stand in the ruleset, and in what iptables-save prints."""
    return {each for each in lines if "CNI-FORWARD" in each and ("-j ACCEPT" in each or '"accept"' in each)}


@pytest.mark.parametrize("subnets", SUBNETS)
@pytest.mark.parametrize("netns", ["there", "gone"])
def test_check_is_content_and_del_leaves_nothing(host: Host, variant: str, subnets: str, netns: str) -> None:
    """H-61 B-41 P-28 F-2 T-5 W-1: whichever iptables it is, with prevResult as runtimes send it."""
    theirs, ours = suites(host, *SUBNETS[subnets])
    keeps, goes = host.container("c2"), host.container("c1")
    theirs.add(keeps, portMappings=[mapping(1)])
    before = all_of(host, variant)
    theirs.add(goes, portMappings=PORTS)
    for container, ports in ((keeps, [mapping(1)]), (goes, PORTS)):
        ours.check(container, portMappings=ports)
    if netns == "gone":
        host.lose(goes)
    for _ in range(2):
        ours.delete(goes if netns == "there" else "c1", portMappings=PORTS)
    assert all_of(host, variant) == before
    ours.check(keeps, portMappings=[mapping(1)])


def test_check_names_what_is_gone(host: Host, variant: str) -> None:
    """P-29: mappings in chains of iptables, which only the tool of its variant reaches."""
    theirs, ours = suites(host, *SUBNETS["v4"])
    container = host.container("c1")
    theirs.add(container, portMappings=PORTS)
    ours.check(container, portMappings=PORTS)
    host.run(f"iptables-{variant} -t nat -F {hashed(28, 'CNI-DN-', 'netc1')}")
    with pytest.raises(PluginError, match="not published"):
        ours.check(container, portMappings=PORTS)


def test_del_without_prevresult_leaves_what_tells_nobody(host: Host, variant: str) -> None:
    """Rules of CNI-FORWARD say no name, and DEL not which address it was: the next who has it clears up."""
    theirs, ours = suites(host, *SUBNETS["dual"])
    container = host.container("c1")
    theirs.add(host.container("c2"), portMappings=[mapping(1)])
    before = all_of(host, variant, container)
    result = theirs.add(container, portMappings=PORTS)
    ours.results = {}
    ours.delete(container, portMappings=PORTS)
    left = all_of(host, variant, container) - before
    assert left == admitting(left)
    ours.results["c1", "eth0"] = result
    ours.delete(container)
    assert all_of(host, variant, container) == before


def test_gc_takes_what_names_the_network(host: Host, variant: str) -> None:
    """1.9 GC: chains of iptables and reservations; not what tells no network, as a veth with a drawn name.

    libcni sends DEL with prevResult for whomever its cache knows before it sends GC.
    """
    theirs, ours = suites(host, *SUBNETS["dual"])
    keeps, goes = host.container("c2"), host.container("c1")
    theirs.add(keeps, portMappings=[mapping(1)])
    before = all_of(host, variant)
    theirs.add(goes, portMappings=PORTS)
    host.lose(goes)
    ours.version = "1.1.0"
    ours.gc(keeps)
    left = all_of(host, variant) - before
    assert {each for each in left - admitting(left) if IFB not in each} == {"backup c1_eth0.json"}
    ours.version = "1.0.0"
    ours.check(keeps, portMappings=[mapping(1)])
    ours.delete("c1", portMappings=PORTS)
    assert all_of(host, variant) == before


def test_cniwire_gc_takes_all_of_a_container_that_only_its_reservation_tells_of(
    host: Host, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cache knows it any more: its ID leads to what has hashed names, its address to the firewall's."""
    monkeypatch.setattr(cniwire_of_tests, "PATH", plugin.PATH)
    theirs, ours = suites(host, *SUBNETS["dual"])
    cniwire, goes = cniwire_of_tests.Cniwire(host, host.plugins), host.container("c1")
    cniwire.network("net", *ours.plugins)
    first = host.container("c2")
    theirs.add(first, portMappings=[mapping(1)])
    theirs.delete(first, portMappings=[mapping(1)])
    before = all_of(host, variant)
    theirs.add(goes, portMappings=PORTS)
    host.lose(goes)
    cniwire("gc")
    assert all_of(host, variant) == before
