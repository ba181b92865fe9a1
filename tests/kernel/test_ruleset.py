"""The whole rule set of one container in nft's own words: what an administrator sees is what is meant."""

import re
from textwrap import dedent

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host

SPOOF_CHECK = """
    table bridge cniwire {
        comment "cniwire v3: CNI plugins"
        set spoof_macs {
            type ifname . ether_addr
            elements = { "VETH" . MAC comment "net/c1/eth0" }
        }
        set spoof {
            type ifname
            elements = { "VETH" comment "net/c1/eth0" }
        }
        chain prerouting {
            type filter hook prerouting priority dstnat; policy accept;
            iifname @spoof iifname . ether saddr != @spoof_macs drop comment "v3"
        }
        chain input {
            type filter hook input priority -300; policy accept;
            iifname @spoof iifname . ether saddr != @spoof_macs drop comment "v3"
        }
    }
"""
PORTS_AND_MASQUERADE = """
    table inet cniwire {
        comment "cniwire v3: CNI plugins"
        map hostports4 {
            type inet_proto . inet_service : ipv4_addr . inet_service
            elements = { tcp . 8080 comment "net/c1/eth0" : 10.1.0.2 . 80 }
        }
        map hostip_hostports4 {
            type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
            elements = { 192.0.2.1 . udp . 53 comment "net/c1/eth0" : 10.1.0.2 . 53 }
        }
        map hostports6 {
            type inet_proto . inet_service : ipv6_addr . inet_service
        }
        map hostip_hostports6 {
            type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
        }
        map hairpin4 {
            type ipv4_addr : verdict
            elements = { 10.1.0.2 comment "net/c1/eth0" : jump hairpin4-24 }
        }
        map hairpin6 {
            type ipv6_addr : verdict
        }
        map masquerade4 {
            type ipv4_addr : verdict
            elements = { 10.1.0.2 comment "net/c1/eth0" : jump outside4-24 }
        }
        map masquerade6 {
            type ipv6_addr : verdict
        }
        set near4 {
            type ipv4_addr . ipv4_addr
            elements = { 10.1.0.2 . 10.1.0.0 comment "net/c1/eth0" }
        }
        set near6 {
            type ipv6_addr . ipv6_addr
        }
        set inside4 {
            type ipv4_addr . ipv4_addr
            elements = { 10.1.0.2 . 10.1.0.0 comment "net/c1/eth0" }
        }
        set inside6 {
            type ipv6_addr . ipv6_addr
        }
        chain loopback {
            type filter hook prerouting priority raw; policy accept;
            iifname != "lo" ip daddr 127.0.0.0/8 drop comment "v3"
        }
        chain further {
        }
        chain hostports {
            dnat ip to ip daddr . meta l4proto . th dport map @hostip_hostports4 comment "v3"
            dnat ip to meta l4proto . th dport map @hostports4 comment "v3"
            dnat ip6 to ip6 daddr . meta l4proto . th dport map @hostip_hostports6 comment "v3"
            dnat ip6 to meta l4proto . th dport map @hostports6 comment "v3"
            jump further comment "v3"
        }
        chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
            fib daddr type local jump hostports comment "v3"
        }
        chain output {
            type nat hook output priority -100; policy accept;
            ip6 daddr ::1 return comment "v3"
            fib daddr type local jump hostports comment "v3"
        }
        chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ct status dnat ip daddr vmap @hairpin4 comment "v3"
            ct status dnat ip6 daddr vmap @hairpin6 comment "v3"
            ip saddr vmap @masquerade4 comment "v3"
            ip6 saddr vmap @masquerade6 comment "v3"
        }
        chain outside4-24 {
            ip saddr . ip daddr & 255.255.255.0 @inside4 return comment "v3"
            ip daddr 224.0.0.0/4 return comment "v3"
            masquerade comment "v3"
        }
        chain hairpin4-24 {
            ip daddr . ip saddr & 255.255.255.0 @near4 masquerade comment "v3"
            ip saddr 127.0.0.1 masquerade comment "v3"
        }
    }
"""


def test_the_ruleset_of_one_container(host: Host) -> None:
    """P-6 P-26 B-45: published ports, hairpin, masquerade and spoof check, IPv4 with snat."""
    ports = [mapping(8080), mapping(53, 53, "udp", hostIP="192.0.2.1")]
    switch = bridge(host.data, "10.1.0.0/24", ipMasq=True, ipMasqBackend="nftables", macspoofchk=True)
    result = host.network(switch, {**PORTMAP, "backend": "nftables"}).add(
        host.container(), portMappings=ports
    )
    expected = (SPOOF_CHECK + PORTS_AND_MASQUERADE).replace("VETH", host.veth("net/c1/eth0"))
    expected = expected.replace("MAC", result["interfaces"][2]["mac"])
    assert lines(host.run("nft --stateless list ruleset")) == lines(dedent(expected))


def lines(ruleset: str) -> list[str]:
    """Return the lines of a rule set without their indentation, empty ones left out.

    Without priorities too, which each release of nft names anew: test_the_base_chains compares their numbers.
    """
    ruleset = re.sub(r"priority [^;]+;", "priority;", ruleset)
    return [line for text in ruleset.splitlines() if (line := re.sub(r"\s+", " ", text).strip())]
