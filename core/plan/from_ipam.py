"""From an IPAM result to records: addresses, routes and settings of a container's interface.

Pure.
"""

from __future__ import annotations

from core import address
from core.address import FAMILIES, V4, V6, mac_parse
from core.errors import CHECK_FAILED, INVALID_CONFIG, CNIError
from core.plan.records import CONTAINER, HOST, Address, Plan, Route, Sysctl, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Family
    from core.cni.config import Section
    from core.cni.result import Result

RT_SCOPE_LINK = 253
FORWARDING = {V4: "net/ipv4/ip_forward", V6: "net/ipv6/conf/all/forwarding"}


def cidrs(result: Result) -> list[address.Cidr]:
    """The addresses of a result."""
    return [address.parse_cidr(item["address"]) for item in result["ips"]]


def gateways(result: Result) -> dict[Family, bytes]:
    """Family -> its first gateway."""
    first: dict[Family, bytes] = {}
    for item in result["ips"]:
        if "gateway" in item:
            gateway = address.parse(item["gateway"])
            first.setdefault(address.family(gateway), gateway)
    return first


def addressing(ifname: str, result: Result, detect: bool = False) -> Plan:
    """The container's side: settings, addresses while the link is down, link up, routes.

    detect: IPv6 duplicate address detection.
    """
    wanted = cidrs(result)
    families = {cidr.family for cidr in wanted}
    settings: tuple[object, ...] = detection(ifname, detect)
    shared: tuple[object, ...] = ()
    if V6 in families:
        shared = (Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0", required=False),)
        settings += (
            Sysctl(CONTAINER, f"net/ipv6/conf/{ifname}/disable_ipv6", "0"),
            Sysctl(CONTAINER, f"net/ipv6/conf/{ifname}/keep_addr_on_down", "1", if_writable=True),
        )
    addresses = [Address(ifname, cidr, detect and cidr.family is V6) for cidr in wanted]
    return Plan(
        shared,
        (
            *settings,
            *addresses,
            Up(CONTAINER, ifname),
            *routes(ifname, result),
            *announcements(ifname, families),
        ),
    )


def detection(ifname: str, detect: bool) -> tuple[Sysctl, ...]:
    """Duplicate address detection as asked, at best effort."""
    wanted = [("enhanced_dad", "1"), ("accept_dad", "1")] if detect else [("accept_dad", "0")]
    return tuple(
        [Sysctl(CONTAINER, f"net/ipv6/conf/{ifname}/{key}", value, required=False) for key, value in wanted]
    )


def announcements(ifname: str, families: set[Family]) -> tuple[Sysctl, ...]:
    """The kernel announces the addresses whenever the link comes up again or changes its MAC, at best effort.

    Wanted only once the link is up, as each announcement goes to every port of the bridge, and the first
    would come too early.
    """
    ipv6 = (
        (Sysctl(CONTAINER, f"net/ipv6/conf/{ifname}/ndisc_notify", "1", required=False),)
        if V6 in families
        else ()
    )
    return (Sysctl(CONTAINER, f"net/ipv4/conf/{ifname}/arp_notify", "1", required=False), *ipv6)


def routes(ifname: str, result: Result) -> tuple[Route, ...]:
    """The result's routes, each once; one without gateway goes through the first gateway of its family.

    Raises CNIError(INVALID_CONFIG).
    """
    first = gateways(result)
    made = []
    for item in result["routes"]:
        dst = address.network(address.parse_cidr(item["dst"]))
        own = address.parse(item["gw"]) if "gw" in item else b""
        if own and address.family(own) is not dst.family:
            raise CNIError(
                INVALID_CONFIG, f"routes: gw {item['gw']} is not of the family of dst {item['dst']}"
            )
        gateway = own or (b"" if item.get("scope") == RT_SCOPE_LINK else first.get(dst.family, b""))
        attributes = (item.get("priority", 0), item.get("mtu", 0), item.get("advmss", 0))
        made.append(Route(ifname, dst, gateway, item.get("table"), item.get("scope"), *attributes))
    return tuple(dict.fromkeys(made))


def forwarding(result: Result) -> tuple[Sysctl, ...]:
    """Forwarding for each family that has an address."""
    present = {cidr.family for cidr in cidrs(result)}
    return tuple([Sysctl(HOST, FORWARDING[family], "1") for family in FAMILIES if family in present])


def container_mac(config: Section, args: dict[str, str]) -> bytes:
    """The MAC that was asked for: runtimeConfig wins over args.cni, and that over CNI_ARGS; b"" for none."""
    wanted = config.section("runtimeConfig").parsed("mac", mac_parse, "a unicast MAC")
    wanted = wanted or config.section("args").section("cni").parsed("mac", mac_parse, "a unicast MAC")
    if wanted or not args.get("MAC"):
        return wanted or b""
    try:
        return mac_parse(args["MAC"])
    except ValueError as error:
        raise CNIError(INVALID_CONFIG, f"CNI_ARGS: MAC: {error}") from None


def container_interface(prev_result: Result, ifname: str, netns: str) -> dict[str, Any]:
    """The container's entry in prevResult. Raises CNIError(CHECK_FAILED) when it is not listed."""
    for item in prev_result["interfaces"]:
        if item.get("name") == ifname and item.get("sandbox") == netns:
            return dict(item)
    raise CNIError(CHECK_FAILED, f"prevResult lists no interface {ifname} with sandbox {netns}")


def of_interface(prev_result: Result, ifname: str, netns: str) -> Result:
    """*prev_result* reduced to one interface: its addresses, and the routes through its networks.

    A later plugin of the chain may have merged its own interfaces in. An address that names no interface of
    the list counts for ours.
    """
    others = [
        at
        for at, item in enumerate(prev_result["interfaces"])
        if (item.get("name"), item.get("sandbox")) != (ifname, netns)
    ]
    ips = [item for item in prev_result["ips"] if item.get("interface") not in others]
    ours = cidrs({"ips": ips})
    further = [cidr for cidr in cidrs(prev_result) if cidr not in ours]
    routes = [item for item in prev_result["routes"] if _within(ours, item) or not _within(further, item)]
    return {**prev_result, "ips": ips, "routes": routes}


def _within(networks: list[address.Cidr], route: dict[str, Any]) -> bool:
    """Whether the gateway of a route is in one of *networks*."""
    return "gw" in route and any([address.contains(cidr, address.parse(route["gw"])) for cidr in networks])
