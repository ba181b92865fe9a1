"""What plans of the bridge plugin have in common, and how a configuration becomes one."""

from typing import Any

from core.address import parse_cidr
from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.plan.records import CONTAINER, HOST, Bridge, NoAdvertisements, Plan, Port, Sysctl, Up, veth
from plugins.bridge.options import Options, options
from plugins.bridge.plan import plan

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
PORT = "vethdd6ccc806f7"
OWNER = "net/c1/eth0"
MAC = bytes.fromhex("020000000001")
PORT_ACCEPT_RA = Sysctl(HOST, f"net/ipv6/conf/{PORT}/accept_ra", "0", required=False)
FORWARD4, FORWARD6 = (
    Sysctl(HOST, "net/ipv4/ip_forward", "1"),
    Sysctl(HOST, "net/ipv6/conf/all/forwarding", "1"),
)
NO_DAD = Sysctl(CONTAINER, "net/ipv6/conf/eth0/accept_dad", "0", required=False)
DAD = (
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/enhanced_dad", "1", required=False),
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/accept_dad", "1", required=False),
)
NOTIFY4 = (Sysctl(CONTAINER, "net/ipv4/conf/eth0/arp_notify", "1", required=False),)
NOTIFY = (*NOTIFY4, Sysctl(CONTAINER, "net/ipv6/conf/eth0/ndisc_notify", "1", required=False))
LO_IPV6 = Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0", required=False)
IPV6 = (
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0"),
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/keep_addr_on_down", "1", if_writable=True),
)
UP = Up(CONTAINER, "eth0")
DEFAULT4, DEFAULT6 = parse_cidr("0.0.0.0/0"), parse_cidr("::/0")
BARE_SHARED = (Bridge("br0"), Up(HOST, "br0"), NoAdvertisements("br0"))
BARE_SHARED6 = (Bridge("br0"), Up(HOST, "br0", ipv6=True), NoAdvertisements("br0"))
BARE_VETH = veth(PORT, "eth0", OWNER, mac=MAC)
BARE_PORT = Port(PORT, "br0")


def wanted(**keys: Any) -> Options:
    """The options of a configuration with bridge br0 and some keys."""
    return options(Section({"type": "bridge", "name": "net", "bridge": "br0", **keys}), "")


def answer(
    *addresses: str, routes: list[dict[str, Any]] | None = None, gateway: bool = False
) -> dict[str, Any]:
    """An IPAM result; with *gateway* each address tells one, the last of the usual networks (.254)."""
    ips = [
        {"address": each, **({"gateway": each.rpartition(".")[0] + ".254"} if gateway else {})}
        for each in addresses
    ]
    return result.parse({"ips": ips, "routes": routes or []}, "1.1.0")


def planned(wished: Options, ipam: dict[str, Any] | None = None) -> Plan:
    return plan(wished, ATTACHMENT, wished.complete(ipam or answer()), MAC)


def ipam(**keys: Any) -> dict[str, Any]:
    return {"ipam": {"type": "host-local"}, **keys}
