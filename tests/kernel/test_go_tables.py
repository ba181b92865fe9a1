"""The nft tables of newer Go releases, as their plugins write them: taken away by our DEL and GC."""

from collections.abc import Iterable

import pytest

from core.attachment import hashed
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError

SUBNETS = ("10.1.0.0/24", "fd01::/64")
NAT = "type nat hook {0} priority {1}; policy accept;"
MASQUERADE = """
table inet cni_plugins_masquerade {{
  comment "Masquerading for plugins from github.com/containernetworking/plugins"
  chain masq_checks {{ {rules} }}
  chain postrouting {{ {hook}
    ip daddr & 240.0.0.0 == 224.0.0.0 return; ip6 daddr & ff00:: == ff00:: return; goto masq_checks; }}
}}"""
HOSTPORT = """
table {family} cni_hostport {{
  comment "CNI portmap plugin"
  chain hostports {{ {dnat} }}
  chain hostip_hostports {{ }}
  chain hostports_all {{ jump hostip_hostports; jump hostports; }}
  chain prerouting {{ {prerouting} fib daddr type local jump hostports_all; }}
  chain output {{ {output} fib daddr type local jump hostports_all; }}
  chain masquerading {{ {postrouting} {snat} }}
}}"""


def masquerade(*attachments: tuple[str, str, str, int]) -> str:
    """The table with the rules of (network, container ID, ifname, last byte of its addresses)."""
    rules = []
    for network, container, ifname, host in attachments:
        own = f"{hashed(16, '', network)}-{hashed(16, '', f'{ifname}:{container}')}"
        told = f"{own}, net: {network}, if: {ifname}, id: {container}"[:128]
        for family, address, subnet in (
            ("ip", f"10.1.0.{host}", "10.1.0.0/24"),
            ("ip6", f"fd01::{host}", "fd01::/64"),
        ):
            rules.append(f'{family} saddr {address} {family} daddr != {subnet} masquerade comment "{told}";')
    return MASQUERADE.format(rules=" ".join(rules), hook=NAT.format("postrouting", 100))


def hostport(family: str, *containers: tuple[str, int, str]) -> str:
    """The table of a family with (container ID, host port, address)."""
    to = "dnat to {1}:80" if family == "ip" else "dnat to [{1}]:80"
    dnat = [
        f'tcp dport {port} {to.format("", address)} comment "{name}";' for name, port, address in containers
    ]
    snat = [
        f'{family} saddr {address} {family} daddr {address} masquerade comment "{name}";'
        for name, _, address in containers
    ]
    hooks = {name: NAT.format(name, -100) for name in ("prerouting", "output")}
    postrouting = NAT.format("postrouting", 100)
    return HOSTPORT.format(
        family=family, dnat=" ".join(dnat), snat=" ".join(snat), postrouting=postrouting, **hooks
    )


def load(host: Host, *texts: str) -> None:
    (host.folder / "ruleset").write_text("\n".join(texts))
    host.run(f"nft -f {host.folder}/ruleset")


def rules(host: Host) -> set[str]:
    """Families, tables, chains and comments of rules in these tables that have one."""
    found = [each for each in host.state() if " nft rule " in each and " cni_" in each]
    return {
        " ".join(each.split()[3:6]) + each.partition('"comment": ')[2][:60]
        for each in found
        if "comm" in each
    }


def of(names: Iterable[str], lines: set[str]) -> set[str]:
    return {each for each in lines if any(name in each for name in names)}


@pytest.fixture
def net(host: Host) -> Network:
    return host.network(bridge(host.data, *SUBNETS, ipMasq=True), PORTMAP)


def test_del_takes_the_rules_of_its_attachment(host: Host, net: Network) -> None:
    """B-41 P-28: in both families, those of other interfaces, containers and networks stay."""
    others = ("net", "c1", "eth1", 3), ("net", "c2", "eth0", 4), ("other", "c1", "eth0", 5)
    load(
        host,
        masquerade(("net", "c1", "eth0", 2), *others),
        hostport("ip", ("c1", 8080, "10.1.0.2"), ("c2", 8081, "10.1.0.4")),
        hostport("ip6", ("c1", 8080, "fd01::2"), ("c2", 8081, "fd01::4")),
    )
    before = rules(host)
    assert len(before) == 4 + 4 + 4  # equal lines of two families of addresses are one here
    net.delete("c1")
    left = rules(host)
    assert len(before - left) == 1 + 4
    assert of(["c2"], left) == of(["c2"], before)
    load(host, "flush ruleset", masquerade(*others))
    net.delete("c1")
    assert len(rules(host)) == 3


def test_gc_takes_masquerade_rules_of_its_network_that_nobody_claims(host: Host, net: Network) -> None:
    """1.9 GC: their comments name network, interface and container; port mappings the container alone."""
    container = host.container("c2")
    net.add(container, portMappings=[mapping(1)])
    mine = ("net", "c1", "eth0", 2), ("net", "c2", "eth1", 3), ("net", "c" * 64, "eth0", 6)
    alive = ("net", "c2", "eth0", 4), ("other", "c1", "eth0", 5), ("net2", "c1", "eth0", 7)
    load(host, masquerade(*mine, *alive), hostport("ip", ("c1", 8080, "10.1.0.2")))
    net.gc(container)
    kept = {each for each in rules(host) if "masq_checks" in each}
    load(host, "delete table inet cni_plugins_masquerade", masquerade(*alive))
    assert kept == {each for each in rules(host) if "masq_checks" in each}
    assert len(of(["hostport"], rules(host))) == 2
    net.gc()
    assert len([each for each in rules(host) if "masq_checks" in each]) == 2


def test_gc_needs_no_iptables_for_that(host: Host, net: Network) -> None:
    """There may be no other table on the node."""
    load(host, masquerade(("net", "c1", "eth0", 2)))
    net.gc()
    assert rules(host) == set()


def test_check_is_content_with_mappings_of_the_go_suite(host: Host, net: Network) -> None:
    """P-29: as long as they stand."""
    container = host.container("c1")
    result = host.network(net.plugins[0]).add(container)
    config = net.derived(net.plugins[1], result, {"portMappings": [mapping(8080)]})
    with pytest.raises(PluginError, match="not published"):
        net.call("CHECK", config, container, "eth0")
    load(host, hostport("ip", ("c1", 8080, "10.1.0.2")))
    net.call("CHECK", config, container, "eth0")
