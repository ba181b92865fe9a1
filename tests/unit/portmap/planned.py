"""How a portmap configuration becomes a plan, and the elements that are expected of it."""

from typing import Any

from core.address import parse, parse_cidr
from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.nft import ports
from core.nft.names import INET, Element
from core.plan.localnet import LocalnetRouting
from core.plan.records import Plan
from core.publication import Hairpin, Mapping
from plugins.portmap.options import Options, options
from plugins.portmap.plan import plan

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
OWNER = "net/c1/eth0"
TCP, UDP, SCTP = b"\6\0\0\0", b"\x11\0\0\0", b"\x84\0\0\0"
V4, V6 = "10.1.0.7/24", "fd01::7/64"
NET4, NET6 = parse_cidr("10.1.0.0/24"), parse_cidr("fd01::/64")
HAIRPIN4, HAIRPIN6 = ports.hairpin(NET4), ports.hairpin(NET6)
LOCALNET = LocalnetRouting(parse("10.1.0.7"), ("br0", ATTACHMENT.host_ifname))


def wanted(*mappings: dict[str, Any], **keys: Any) -> Options:
    return options(Section({"type": "portmap", "runtimeConfig": {"portMappings": list(mappings)}, **keys}))


def previous(*addresses: str, interfaces: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The result of our bridge: three interfaces, the addresses those of the third."""
    usual = [{"name": "br0"}, {"name": ATTACHMENT.host_ifname}, {"name": "eth0", "sandbox": "/netns/c1"}]
    ips = [{"interface": 2, "address": each} for each in addresses]
    return result.parse({"interfaces": interfaces or usual, "ips": ips}, "1.1.0")


def planned(wished: Options, *addresses: str) -> Plan:
    return plan(wished, ATTACHMENT, previous(*addresses or (V4, V6)))


def port(number: int) -> bytes:
    return number.to_bytes(2, "big") + b"\0\0"


def to(name: str, key: bytes, container: str, container_port: int, text: str) -> Element:
    """One element of a port map. text: its key as nft prints it."""
    data = parse(container) + port(container_port)
    *host, protocol, number = text.split(" . ")
    address = parse(host[0]) if host else b""
    about = Mapping(protocol, address, int(number), parse(container), container_port, name.partition("-")[2])
    return Element(INET, name, key, data, "", OWNER, f"{text} : {container} . {container_port}", about)


def hairpin(container: str, chain: str) -> Element:
    name = "hairpin6" if ":" in container else "hairpin4"
    about = Hairpin(parse(container), {"hairpin4-24": NET4, "hairpin6-64": NET6}.get(chain))
    return Element(INET, name, parse(container), b"", chain, OWNER, f"{container} : jump {chain}", about)


def near(container: str, net: str) -> Element:
    name = "near6" if ":" in container else "near4"
    about = Hairpin(parse(container), NET6 if ":" in container else NET4)
    return Element(INET, name, parse(container) + parse(net), b"", "", OWNER, f"{container} . {net}", about)
