"""Results: one newest form inside, every version's shape at the edge.

A Result is a plain dict in the form of spec 1.1.0 with canonical keys: interfaces, ips, routes, dns, and
whatever another plugin may have added, which is passed on untouched. Spec: section 5 "Result Types". Pure.
"""

from __future__ import annotations

from core import address
from core.cni.config import Section
from core.cni.version import FAMILIES
from core.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Result = dict[str, Any]

TOP = ("cniVersion", "interfaces", "ips", "routes", "dns")
INTERFACE = ("name", "mac", "mtu", "sandbox", "socketPath", "pciID")
IP = ("version", "interface", "address", "gateway")
ROUTE = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")
DNS = ("nameservers", "domain", "search", "options")
HALF = ("ip", "gateway", "routes")  # of ip4 and ip6 in 0.1.0 and 0.2.0
SINCE_1_1 = ("mtu", "socketPath", "pciID")
U32 = 2**32 - 1


def parse(document: Any, default_version: str, what: str = "result") -> Result:
    """The Result in *document*, whatever version it is in; a missing version means *default_version*.

    None (a literal null) is an empty object. As with the reference, an interface index may be out of range.
    Raises CNIError(DECODING_FAILURE) naming the value that is wrong.
    """
    try:
        if document is not None and not isinstance(document, dict):
            raise CNIError(DECODING_FAILURE, "want a JSON object")
        top = _canonical(document or {}, TOP)
        version = Section(top).text("cniVersion") or default_version or "0.1.0"
        if version not in FAMILIES:
            raise CNIError(DECODING_FAILURE, f"cniVersion: unknown version {version!r}")
        top = _from_two_families(top) if FAMILIES[version] == 0 else top
        return {**top, "cniVersion": version, **_lists(Section(top))}
    except CNIError as error:
        raise CNIError(DECODING_FAILURE, f"cannot decode {what}: {error.msg}") from None


def parse_prev(config: Section, config_version: str) -> Result | None:
    """prevResult, None when absent; it must be of the configuration's family of versions.

    Raises CNIError(DECODING_FAILURE).
    """
    document = config.get("prevResult")
    if document is None:
        return None
    result = parse(document, config_version, "prevResult")
    found = result["cniVersion"]
    if FAMILIES[found] != FAMILIES.get(config_version):
        msg = f"prevResult: version {found} cannot be used with cniVersion {config_version}"
        raise CNIError(DECODING_FAILURE, msg)
    return result


def host_links(prev_result: Result, ifname: str) -> list[str]:
    """The names of the host's interfaces in a result, in order.

    One called *ifname*, which is CNI_IFNAME, is the container's, whose sandbox was forgotten (Azure).
    """
    listed = [item.get("name", "") for item in prev_result["interfaces"] if not item.get("sandbox")]
    return [name for name in listed if name and name != ifname]


def _canonical(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Known keys in their own spelling, null dropped; unknown ones as they are."""
    spelling = {name.lower(): name for name in names}
    own = {key: spelling.get(key.lower(), key) for key in values}
    return {own[key]: value for key, value in values.items() if value is not None or own[key] not in names}


def _without(values: dict[str, Any], keys: tuple[str, ...], empty: tuple[Any, ...]) -> dict[str, Any]:
    """*values* without those *keys* whose value says nothing."""
    return {key: value for key, value in values.items() if key not in keys or value not in empty}


def _lists(top: Section) -> dict[str, Any]:
    """interfaces, ips, routes and dns, decoded and checked."""
    return {
        "interfaces": [_interface(item) for item in top.sections("interfaces")],
        "ips": [_ip(item) for item in top.sections("ips")],
        "routes": [route(item) for item in top.sections("routes")],
        "dns": dns(top.section("dns")),
    }


def _interface(item: Section) -> dict[str, Any]:
    for key in ("mac", "sandbox", "socketPath", "pciID"):
        item.text(key)
    item.integer("mtu", 0, U32)
    values = {"name": item.text("name"), **_canonical(item.values, INTERFACE)}
    return _without(values, INTERFACE[1:], ("", 0))


def _ip(item: Section) -> dict[str, Any]:
    cidr, gateway = item.cidr("address"), item.address("gateway")
    if cidr is None:
        raise item.wrong("address", "an address with prefix length")
    item.integer("interface", -(2**31), 2**31 - 1)
    values = {**_canonical(item.values, IP), "address": str(cidr)}
    values.pop("version", None)
    return _with_or_without(values, "gateway", gateway)


def route(item: Section) -> dict[str, Any]:
    """One route of a result or of an IPAM configuration: dst, gw, mtu, advmss, priority, table, scope.

    table and scope tell unset from 0; 0 in the other numbers means unset. Raises CNIError(INVALID_CONFIG).
    """
    dst, gateway = item.cidr("dst"), item.address("gw")
    if dst is None:
        raise item.wrong("dst", "an address with prefix length")
    for key, most in (("mtu", U32), ("advmss", U32), ("priority", U32), ("table", U32), ("scope", 255)):
        item.integer(key, 0, most)
    values = {**_canonical(item.values, ROUTE), "dst": str(dst)}
    return _with_or_without(_without(values, ("mtu", "advmss", "priority"), (0,)), "gw", gateway)


def dns(item: Section) -> dict[str, Any]:
    """The dns object of a result or configuration; keys without content are left out."""
    item.text("domain")
    for key in ("nameservers", "search", "options"):
        item.texts(key)
    return _without(_canonical(item.values, DNS), DNS, ("", []))


def _with_or_without(values: dict[str, Any], key: str, packed: bytes | None) -> dict[str, Any]:
    values.pop(key, None)
    return values if packed is None else {**values, key: address.text(packed)}


def _from_two_families(top: dict[str, Any]) -> dict[str, Any]:
    """0.1.0 and 0.2.0: ip4, then ip6, become ips and routes; keys of later versions are dropped."""
    top = _canonical(top, ("ip4", "ip6"))
    ips, routes = [], []
    for half in [Section(top).section(key) for key in ("ip4", "ip6") if key in top]:
        if half.cidr("ip") is None:
            raise half.wrong("ip", "an address with prefix length")
        half.address("gateway")
        routes += half.items("routes")
        further = _unknown(_canonical(half.values, HALF + IP), HALF + IP)
        ips.append({"address": half.text("ip"), "gateway": half.text("gateway"), **further})
    return {**_unknown(top, ("ip4", "ip6", "interfaces")), "ips": ips, "routes": routes}


def render(result: Result, version: str) -> dict[str, Any]:
    """The document of *result* in the shape of *version*.

    Raises CNIError(INCOMPATIBLE_VERSION) when there is no such version, or it needs an address
    and there is none.
    """
    if version not in FAMILIES:
        msg = f"cannot convert a result from {result.get('cniVersion', '')!r} to {version!r}"
        raise CNIError(INCOMPATIBLE_VERSION, msg)
    shape = (_two_families, _versioned, _newest)[FAMILIES[version]]
    return shape({**result, "cniVersion": version})


def convertible(ips: list[dict[str, Any]], version: str) -> None:
    """Refuse early what render would refuse late: no address at all in 0.1.0 and 0.2.0.

    Raises CNIError(INCOMPATIBLE_VERSION).
    """
    if FAMILIES.get(version) == 0 and not ips:
        msg = f"cannot convert: no valid IP addresses, and cniVersion {version} needs one"
        raise CNIError(INCOMPATIBLE_VERSION, msg)


def one_of_a_family(addresses: list[bytes], version: str) -> None:
    """Refuse a second packed address of a family for 0.1.0 and 0.2.0, where render would drop it.

    Raises CNIError(INCOMPATIBLE_VERSION).
    """
    families = [len(each) for each in addresses]
    if FAMILIES.get(version) == 0 and len(set(families)) < len(families):
        msg = f"CNI version {version} does not support more than 1 address per family"
        raise CNIError(INCOMPATIBLE_VERSION, msg, f"{len(families)} are asked for")


def _newest(result: Result) -> dict[str, Any]:
    return dict(sorted(_without(result, TOP, ([], {})).items()))


def _unknown(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}


def _versioned(result: Result) -> dict[str, Any]:
    """0.3.0 to 0.4.0: an address tells its IP version, an interface no mtu; dns is always there."""
    document = {
        "cniVersion": result["cniVersion"],
        "interfaces": [_unknown(item, SINCE_1_1) for item in result.get("interfaces", [])],
        "ips": [{"version": _family(item["address"]), **item} for item in result.get("ips", [])],
        "routes": result.get("routes", []),
    }
    return {**_without(document, TOP, ([],)), "dns": result.get("dns", {}), **_unknown(result, TOP)}


def _family(text: str) -> str:
    return "6" if ":" in text else "4"


def _two_families(result: Result) -> dict[str, Any]:
    """0.1.0 and 0.2.0: the first address of each family and the routes of that family."""
    ips = result.get("ips", [])
    convertible(ips, result["cniVersion"])
    document: dict[str, Any] = {"cniVersion": result["cniVersion"]}
    for family in "46":
        for item in [item for item in ips if _family(item["address"]) == family][:1]:
            paths = [path for path in result.get("routes", []) if _family(path["dst"]) == family]
            routes = [_unknown(path, ROUTE[2:]) for path in paths]
            half = {"ip": item["address"], "gateway": item.get("gateway"), "routes": routes}
            document[f"ip{family}"] = _without({**half, **_unknown(item, IP + HALF)}, HALF, (None, []))
    return {**document, "dns": result.get("dns", {}), **_unknown(result, (*TOP, "ip4", "ip6"))}
