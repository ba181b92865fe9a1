"""Results: one newest form inside, every version's shape at the edge.

A Result is a plain dict in the form of spec 1.1.0 with canonical keys: interfaces, ips, routes, dns, and whatever a later
plugin may have added, which is passed on untouched. Spec: section 5 "Result Types". Pure.
"""

from __future__ import annotations

from core import address
from core.config import Section
from core.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CNIError
from core.version import FAMILIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Result = dict[str, Any]

TOP = ("cniVersion", "interfaces", "ips", "routes", "dns")
INTERFACE = ("name", "mac", "mtu", "sandbox", "socketPath", "pciID")
IP = ("version", "interface", "address", "gateway")
ROUTE = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")
DNS = ("nameservers", "domain", "search", "options")
SINCE_1_1 = ("mtu", "socketPath", "pciID")
U32 = 2**32 - 1


def parse(document: Any, default_version: str, what: str = "result") -> Result:
    """The Result in *document*, whatever version it is in; a missing version means *default_version*.

    None (a literal null) is an empty object. Raises CNIError(DECODING_FAILURE) naming the value that is wrong.
    """
    try:
        if document is not None and not isinstance(document, dict):
            raise CNIError(DECODING_FAILURE, "want a JSON object")
        top = _canonical(document or {}, TOP)
        version = top.get("cniVersion") or default_version or "0.1.0"
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
    if FAMILIES[result["cniVersion"]] != FAMILIES.get(config_version):
        raise CNIError(DECODING_FAILURE, f"prevResult: version {result['cniVersion']} cannot be used with cniVersion {config_version}")
    return result


def _canonical(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Known keys in their own spelling, null dropped; unknown ones as they are."""
    spelling = {name.lower(): name for name in names}
    return {spelling.get(key.lower(), key): value for key, value in values.items() if value is not None}


def _lists(top: Section) -> dict[str, Any]:
    """interfaces, ips, routes and dns, decoded and checked."""
    return {
        "interfaces": [_interface(item) for item in top.sections("interfaces")],
        "ips": [_ip(item) for item in top.sections("ips")],
        "routes": [route(item) for item in top.sections("routes")],
        "dns": dns(top.section("dns")),
    }


def _interface(item: Section) -> dict[str, Any]:
    for key in ("name", "mac", "sandbox", "socketPath", "pciID"):
        item.text(key)
    item.integer("mtu", 0, U32)
    return {key: value for key, value in _canonical(dict(item.values), INTERFACE).items() if value != "" and (key, value) != ("mtu", 0)}


def _ip(item: Section) -> dict[str, Any]:
    cidr, gateway = item.cidr("address"), item.address("gateway")
    if cidr is None:
        raise item.wrong("address", "an address with prefix length")
    item.integer("interface", -(2**31), 2**31)
    values = {**_canonical(dict(item.values), IP), "address": str(cidr)}
    values.pop("version", None)
    return _with_or_without(values, "gateway", gateway)


def route(item: Section) -> dict[str, Any]:
    """One route of a result or of an IPAM configuration: dst, gw, mtu, advmss, priority, table, scope.

    table and scope tell unset from 0; 0 in the other numbers means unset. Raises CNIError(INVALID_CONFIG).
    """
    dst, gateway = item.cidr("dst"), item.address("gw")
    if dst is None:
        raise item.wrong("dst", "an address with prefix length")
    values = {**_canonical(dict(item.values), ROUTE), "dst": str(dst)}
    for key in ("mtu", "advmss", "priority"):
        if not item.integer(key, 0, U32):
            values.pop(key, None)
    item.integer("table", 0, U32)
    item.integer("scope", 0, 255)
    return _with_or_without(values, "gw", gateway)


def dns(item: Section) -> dict[str, Any]:
    """The dns object of a result or configuration; keys without content are left out."""
    item.text("domain")
    for key in ("nameservers", "search", "options"):
        item.texts(key)
    return {key: value for key, value in _canonical(dict(item.values), DNS).items() if value not in ("", [])}


def _with_or_without(values: dict[str, Any], key: str, packed: bytes | None) -> dict[str, Any]:
    values.pop(key, None)
    return values if packed is None else {**values, key: address.text(packed)}


def _from_two_families(top: dict[str, Any]) -> dict[str, Any]:
    """0.1.0 and 0.2.0: ip4 first, then ip6, become ips and routes."""
    top = _canonical(top, ("ip4", "ip6"))
    halves = [Section(top).section(key) for key in ("ip4", "ip6") if key in top]
    ips = [{"address": half.text("ip"), "gateway": half.text("gateway")} for half in halves]
    routes = [item for half in halves for item in half.items("routes")]
    return {**{key: value for key, value in top.items() if key not in ("ip4", "ip6")}, "ips": ips, "routes": routes}


def render(result: Result, version: str) -> dict[str, Any]:
    """The document of *result* in the shape of *version*. Raises CNIError(INCOMPATIBLE_VERSION) when it has none."""
    if version not in FAMILIES:
        raise CNIError(INCOMPATIBLE_VERSION, f"cannot convert a result from {result.get('cniVersion', '')!r} to {version!r}")
    shape = (_two_families, _versioned, _newest)[FAMILIES[version]]
    return shape({**result, "cniVersion": version})


def convertible(ips: list[dict[str, Any]], version: str) -> None:
    """Refuse early what render would refuse late: no address at all in 0.1.0 and 0.2.0.

    Raises CNIError(INCOMPATIBLE_VERSION).
    """
    if FAMILIES.get(version) == 0 and not ips:
        raise CNIError(INCOMPATIBLE_VERSION, f"cannot convert: no valid IP addresses, and cniVersion {version} needs one")


def _newest(result: Result) -> dict[str, Any]:
    return {key: result[key] for key in sorted(result) if result[key] not in ([], {}) or key not in TOP}


def _versioned(result: Result) -> dict[str, Any]:
    """0.3.0 to 0.4.0: an address tells its IP version, an interface no mtu; dns is always there."""
    interfaces = [{key: value for key, value in item.items() if key not in SINCE_1_1} for item in result.get("interfaces", [])]
    ips = [{"version": "6" if ":" in item["address"] else "4", **item} for item in result.get("ips", [])]
    document = {**result, "interfaces": interfaces, "ips": ips}
    known = {key: document[key] for key in TOP if key in document and (document[key] or key == "dns")}
    return {**known, "dns": document.get("dns") or {}, **{key: value for key, value in document.items() if key not in TOP}}


def _two_families(result: Result) -> dict[str, Any]:
    """0.1.0 and 0.2.0: the first address of each family and the routes of that family."""
    ips = result.get("ips", [])
    convertible(ips, result["cniVersion"])
    document = {"cniVersion": result["cniVersion"]}
    for key, is_family in (("ip4", lambda text: ":" not in text), ("ip6", lambda text: ":" in text)):
        first = next((item for item in ips if is_family(item["address"])), None)
        if first is None:
            continue
        routes = [{name: item[name] for name in ("dst", "gw") if name in item} for item in result.get("routes", []) if is_family(item["dst"])]
        half = {"ip": first["address"], **({"gateway": first["gateway"]} if "gateway" in first else {}), **({"routes": routes} if routes else {})}
        document[key] = half
    return {**document, "dns": result.get("dns") or {}}
