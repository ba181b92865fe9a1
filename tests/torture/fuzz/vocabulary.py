"""Words that `make fuzz` builds its inputs from: usual ones, and such as are wrong somewhere."""

from typing import Any

SUBNETS = (
    *("10.1.0.0/24", "10.1.0.0/29", "10.9.0.0/16", "fd01::/64", "fd01::/120", "10.1.0.1/24"),
    *("10.0.0.0/31", "::/0", "0.0.0.0/0", "x/8", ""),
)
ADDRESSES = (
    *("10.1.0.1", "10.1.0.2", "10.1.0.5", "10.1.0.255", "10.1.0.0", "0.0.0.0", "fd01::2", "fd01::1"),
    *("::", "::1", "127.0.0.1", "fe80::1", "10.1.0.9/24", "fd01::9/64", "::ffff:10.1.0.2", "1.2.3"),
    *("010.1.0.2", "10.1.0.2 ", "fd01::2%eth0", "256.1.1.1", "10.1.0.2/33", "/", ""),
)
NAMES = (
    *("net", "n1", "c1", "c0", "eth0", "eth1", "br0", "br1", "lo", "bridge", "host-local", "portmap"),
    *("fake", "..", "a/b", "xxxxxxxxxxxxxxxx", "veth0"),
)
WORDS = (
    *("ip saddr 10.0.0.0/8", "ip6 saddr fd00::/8", "ip", "saddr", "tcp dport 80", "meta mark 0x10"),
    *("iifname eth*", "!=", "==", "-s 10.0.0.0/8", "mark 1", "udp sport 1-9", "th dport 99999"),
    *('iifname "', "ip saddr 10.0.0.9-10.0.0.1", "ct state new, related", "ct mark & 7 > 1", "iif {"),
    *("fib saddr type { local }", "tcp dport >=80", "ct state != new,", "mark &", "iif 1", "meta iif a*"),
)
TEXTS = (
    *("tcp", "udp", "sctp", "TCP", "icmp", "nftables", "iptables", "true", "1", "0", "\x00", "é"),
    *("\u2028", "\ud800", "02:00:00:00:00:01", "zz:00", "MAC=02:00:00:00:00:09", "IP=10.1.0.5"),
    *("IP=10.1.0.5;IgnoreUnknown=1", "K=V", ";", "=", "null", "{}", "/etc/hosts", "/nowhere", "%s%n"),
    *("'\"", "IP=10.1.0.5/24,fd01::5/64;GATEWAY=10.1.0.1,fd01::1"),
)
NUMBERS = (
    *(0, 1, -1, 2, 24, 67, 68, 80, 253, 1280, 1500, 4094, 4095, 8080, 65535, 65536),
    *(2**31, 2**32, 2**63, 10**400, 0.5, 1.0, -0.0, 1e308),
)
KEYS = (
    *("name", "type", "cniVersion", "prevResult", "ips", "ip4", "ip6", "ip", "address", "gateway"),
    *("interface", "interfaces", "sandbox", "mac", "mtu", "routes", "dst", "gw", "priority", "table"),
    *("scope", "advmss", "dns", "domain", "nameservers", "search", "options", "ipam", "args", "cni"),
    *("runtimeConfig", "ipRanges", "portMappings", "hostPort", "containerPort", "protocol", "hostIP"),
    *("range", "ranges", "subnet", "rangeStart", "rangeEnd", "addresses", "cni.dev/valid-attachments"),
    *("cni.dev/attachments", "containerID", "ifname", "bridge", "isGateway", "isDefaultGateway"),
    *("ipMasq", "forceAddress", "hairpinMode", "promiscMode", "vlan", "vlanTrunk", "id", "minID"),
    *("maxID", "macspoofchk", "enabledad", "portIsolation", "disableContainerInterface"),
    *("preserveDefaultVlan", "ipMasqBackend", "snat", "masqAll", "conditionsV4", "conditionsV6"),
    *("markMasqBit", "backend", "externalSetMarkChain", "timeoutSeconds", "lockTimeout", "resolvConf"),
    *("capabilities", "version", "code", "msg", "details", "promisc", "allmulti", "txQLen", "sysctl"),
    *("net.core.somaxconn", "net/ipv4/conf/eth0.1/arp_filter", "net.ipv6.conf.IFNAME.mtu", "kernel.x"),
    *("bandwidth", "ingressRate", "ingressBurst", "egressRate", "egressBurst", "ingressPolicy"),
    *("iptablesAdminChainName", "firewalldZone"),
)
FIREWALL_KEYS: dict[str, tuple[Any, ...]] = {
    "backend": ("", "nftables", "firewalld", "pf"),
    "ingressPolicy": ("", "open", "same-bridge", "isolated"),
    "iptablesAdminChainName": ("", "CNI-ADMIN", "NOMAD-ADMIN", "x" * 29, "-x"),
    "firewalldZone": ("", "trusted", "a b", "x" * 256),
}
TUNING_KEYS: dict[str, tuple[Any, ...]] = {
    "mac": ("02:00:00:00:00:09", "02-00-00-00-00-0A", ""),
    "mtu": (0, 1400, 65536),
    "promisc": (True, False),
    "allmulti": (True, False),
    "txQLen": (0, 7),
    "sysctl": (
        {"net.core.somaxconn": "512"},
        {"net/ipv4/conf/IFNAME/arp_filter": "1", "net.core.somaxconn": "0x10"},
        {"net.core.somaxconn": "1", "net/core/somaxconn": "1"},
        {},
    ),
}
BANDWIDTH_KEYS = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
RATES = (8, 9, 16, 8000, 10**6, 10**8, 10**12, 2**32 - 1, 2**64 - 1, 34359738359, 34359738360, 0, 1, 7, 2**64)
BRIDGE_KEYS: dict[str, tuple[Any, ...]] = {
    "isGateway": (True, False),
    "isDefaultGateway": (True, False),
    "forceAddress": (True, False),
    "ipMasq": (True, False),
    "macspoofchk": (True, False),
    "mtu": (0, 1400, 1280, 9000),
    "hairpinMode": (True, False),
    "promiscMode": (True, False),
    "enabledad": (True, False),
    "portIsolation": (True, False),
    "vlan": (0, 100),
    "vlanTrunk": ([{"id": 5}], [{"minID": 5, "maxID": 9}], []),
    "preserveDefaultVlan": (True, False),
    "disableContainerInterface": (True, False),
    "ipMasqBackend": ("nftables", "iptables"),
    "dns": ({"nameservers": ["10.1.0.1"]}, {"search": []}, {}),
    "bridge": ("br0", "br1", "veth0"),
}
