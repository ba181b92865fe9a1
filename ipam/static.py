"""The static IPAM plugin: addresses, routes and dns as they are written.

Law: nothing is reserved, so the same call has always the same answer, and DEL and GC have nothing to do.
Spec: section 4 "Plugin Delegation".
"""

from __future__ import annotations

from core import address
from core.cni import config as configuration
from core.cni import result, version
from core.errors import INVALID_CONFIG, CNIError
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Cidr
    from core.cni.config import Section
    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "static"
VERSIONS = version.ALL
CIDR = "an address with prefix length"


class Given(Record):
    """An address, and its packed gateway if it has one. name: the key that it stands at, for messages."""

    name: str
    cidr: Cidr
    gateway: bytes | None = None


def add(request: Request) -> Result:
    """What is written, checked."""
    return answer(request.config, request.version, request.args)


def answer(config: Section, wanted: str, args: str) -> Result:
    """The result of ADD for cniVersion *wanted* and CNI_ARGS *args*.

    Raises CNIError(INVALID_CONFIG), INCOMPATIBLE_VERSION or INVALID_ENVIRONMENT naming key and value.
    """
    if "ipam" not in config:
        raise CNIError(INVALID_CONFIG, "ipam: missing", "static takes its addresses from the key ipam")
    given, ipam = addresses(config, args), config.section("ipam")
    _check(given)
    result.one_of_a_family([each.cidr.address for each in given], wanted)
    answered: Result = {
        "ips": [_ip(each) for each in given],
        "routes": [result.route(item) for item in ipam.sections("routes")],
        "dns": result.dns(ipam.section("dns")),
    }
    result.convertible(answered["ips"], wanted)
    return answered


def _ip(given: Given) -> dict[str, str]:
    gateway = {} if given.gateway is None else {"gateway": address.text(given.gateway)}
    return {"address": str(given.cidr), **gateway}


def addresses(config: Section, args: str) -> list[Given]:
    """The addresses that count: of runtimeConfig.ips, else of args.cni.ips, else all the others.

    The others are those of ipam.addresses and, behind them, of CNI_ARGS. Where ipam.addresses does not count,
    only its types are looked at, as with the reference: some write placeholders that are always replaced.
    Raises CNIError(INVALID_CONFIG) or INVALID_ENVIRONMENT naming key and value.
    """
    configured = config.section("ipam").sections("addresses")
    typed = [(item.text("address"), item.address("gateway")) for item in configured]
    others = _of_args(args)
    wished, demanded = [
        [Given(name, _cidr(name, value)) for name, value in asked]
        for asked in configuration.asked_ips(config)
    ]
    if demanded or wished:
        return demanded or wished
    return [_configured(item, gateway) for item, (_, gateway) in zip(configured, typed)] + others


def _configured(item: Section, gateway: bytes | None) -> Given:
    cidr = item.cidr("address")
    if cidr is None:
        raise item.wrong("address", CIDR)
    if gateway is not None and (len(gateway) != len(cidr.address) or not _is_host(gateway)):
        raise item.wrong("gateway", f"a host's address of the family of {cidr}")
    return Given(item.name("address"), cidr, gateway)


def _of_args(args: str) -> list[Given]:
    """The addresses of CNI_ARGS IP, each with the last gateway of GATEWAY that lies in its network.

    Addresses of other sources get none of these gateways: with the reference neither.
    """
    pairs = configuration.cni_args(args, ("IP", "GATEWAY"))
    texts = {key: [part.strip() for part in value.split(",")] for key, value in pairs.items() if value}
    gateways = [
        configuration.parsed("CNI_ARGS: GATEWAY", text, address.parse, "an IP address")
        for text in texts.get("GATEWAY", ())
    ]
    found = []
    for text in texts.get("IP", ()):
        cidr = _cidr("CNI_ARGS: IP", text)
        within = [gateway for gateway in gateways if address.contains(cidr, gateway)]
        found.append(Given("CNI_ARGS: IP", cidr, within[-1] if within else None))
    return found


def _cidr(name: str, text: str) -> Cidr:
    return configuration.parsed(name, text, address.parse_cidr, CIDR)


def _check(given: list[Given]) -> None:
    """Refuse what no interface can have: an address twice, and one that is no host's."""
    places: dict[Cidr, str] = {}
    for each in given:
        if not _is_host(each.cidr.address):
            raise CNIError(INVALID_CONFIG, f"{each.name}: want a host's address, found {each.cidr}")
        if each.cidr in places:
            raise CNIError(INVALID_CONFIG, f"{each.name}: {each.cidr} is in {places[each.cidr]} already")
        places[each.cidr] = each.name


def _is_host(packed: bytes) -> bool:
    """Whether an address is neither unspecified nor a multicast group."""
    group = 224 <= packed[0] < 240 if len(packed) == address.V4.size else packed[0] == 255
    return any(packed) and not group


def check(request: Request) -> None:
    """Compare what ADD would answer now with prevResult."""
    want = answer(request.config, request.version, request.args)
    prev_result = result.parse_prev(request.config, request.version)
    if prev_result is None:
        raise CNIError(INVALID_CONFIG, "prevResult: CHECK needs it")
    found = [told for each in want["ips"] for told in differences(each, prev_result["ips"])]
    if found:
        from core.plan.difference import report  # late: only where there is a difference

        report(found)


def differences(want: dict[str, str], listed: list[dict[str, str]]) -> list[str]:
    """Where the address is not *listed* as it has to be.

    A gateway that nobody asked for is none: a main plugin chooses one where the configuration has none.
    """
    host = want["address"].partition("/")[0]
    found = [each for each in listed if each["address"].partition("/")[0] == host]
    if not any([each["address"] == want["address"] for each in found]):
        shown = ", ".join([each["address"] for each in found or listed]) or "none"
        return [f"prevResult lacks an address: want {want['address']}, found {shown}"]
    gateways = [each.get("gateway", "none") for each in found]
    if want.get("gateway", gateways[0]) not in gateways:
        named = f"prevResult has another gateway for {want['address']}"
        return [f"{named}: want {want['gateway']}, found {', '.join(gateways)}"]
    return []


def status(request: Request) -> None:
    """Whether the configuration could be served: that there is no address in it is no error.

    A runtime that gives the addresses itself does so with ADD.
    """
    answer(request.config, request.version, "")


COMMANDS = {"ADD": add, "CHECK": check, "STATUS": status}
