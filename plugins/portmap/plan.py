"""What a portmap configuration asks for, and the plan that follows from it. Pure but for the clock of the verb."""

from __future__ import annotations

from core import address
from core.attachment import Attachment, hashed
from core.cni.config import Section
from core.deadline import check as check_deadline
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.nft import names
from core.nft.names import INET, PROTOCOLS, TABLES, Chain, Element
from core.plan.records import LocalnetRouting, Plan
from core.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cni.result import Result
    from core.nft.expression import Rule

CONDITIONS = {4: "conditionsV4", 16: "conditionsV6"}  # bytes of an address -> key
SPECIFIC = "hostip_"  # what the names of maps for one host address begin with
HASH_DIGITS = 8  # of a condition, in the names of its maps
LARGEST_PORT = 65535
MOST_MAPPINGS = 5 * LARGEST_PORT  # every port of every protocol; a mistake in a range must not fill the memory
LOOPBACK6 = bytes(15) + b"\1"


class Mapping(Record):
    """One published port. host_ip: packed, None for every address of both families; all zero for every one of its own."""

    protocol: str
    host_port: int
    container_port: int
    host_ip: bytes | None


class Options(Record):
    """The keys of the configuration, checked; conditions: bytes of an address -> compiled words.

    without_loopback6: mappings of ::1 were left out, since the kernel lets no answer back to it.
    """

    mappings: tuple[Mapping, ...]
    snat: bool
    masquerade_all: bool
    conditions: dict[int, Rule]
    without_loopback6: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do, or to tell."""
        return bool(self.mappings) or self.without_loopback6


def options(config: Section, _args: str = "") -> Options:
    """Read and check every key. Raises CNIError."""
    found = _all_mappings(config.section("runtimeConfig"))
    _backend(config, bool(found))
    mappings = [each for each in found if each.host_ip != LOOPBACK6]
    return Options(
        tuple(mappings),
        config.boolean("snat", True),
        config.boolean("masqAll"),
        {size: _conditions(config, size, key) for size, key in CONDITIONS.items() if config.texts(key) and found},
        len(mappings) < len(found),
    )


def _backend(config: Section, needed: bool) -> None:
    """Refuse what the nftables backend does not have, naming every key; where there are mappings, or it would change nothing.

    externalSetMarkChain says how iptables masquerades, which nft does by itself; so does markMasqBit, and with nft chosen nobody looks at it.
    """
    backend = config.text("backend")
    if backend not in ("", "nftables", "iptables"):
        raise config.wrong("backend", '"nftables"')
    if "markMasqBit" in config and config.text("externalSetMarkChain"):
        raise CNIError(INVALID_CONFIG, "markMasqBit contradicts externalSetMarkChain", "choose one of them")
    config.integer("markMasqBit", 0, 31)
    offending = ['backend: "iptables"'] if backend == "iptables" else []
    if backend != "nftables" and config.get("markMasqBit") is not None:
        offending.append(f"markMasqBit: {config.get('markMasqBit')}")
    for size, key in CONDITIONS.items():
        if _is_iptables_style(config.texts(key)) and not _translated(config.texts(key), size):
            offending.append(f"{key}: {config.texts(key)}")
    if offending and needed:
        found = "; ".join(offending)
        raise CNIError(UNSUPPORTED_FIELD, f"{found}: the iptables backend is not supported yet", 'use backend "nftables" and nft words')


def _is_iptables_style(words: list[str]) -> bool:
    return bool(words) and words[0].startswith(("-", "!"))


def _translated(words: list[str], size: int) -> list[str]:
    """The nft words for iptables' matches on addresses; empty for any other."""
    from core.nft.conditions import from_iptables  # late: as below

    try:
        return from_iptables(words, size)
    except ValueError:
        return []


def _conditions(config: Section, size: int, key: str) -> Rule:
    other = "ip6" if size == 4 else "ip"
    if other in " ".join(config.texts(key)).split():
        raise config.wrong(key, f"matches without {other}, which would never hold")
    from core.nft.conditions import compile_words  # late: conditions are rare

    words = config.texts(key)
    try:
        return compile_words(_translated(words, size) if _is_iptables_style(words) else words)
    except ValueError as error:
        raise CNIError(INVALID_CONFIG, f"{key}: {error}") from None


def _all_mappings(runtime: Section) -> dict[Mapping, None]:
    """The mappings of portMappings, each once. Raises CNIError, and Expired: there may be very many."""
    found: dict[Mapping, None] = {}
    count = 0
    for item in runtime.sections("portMappings"):
        check_deadline()
        single = _mappings(item)
        count += len(single)
        if count > MOST_MAPPINGS:
            raise CNIError(INVALID_CONFIG, f"runtimeConfig.portMappings: want at most {MOST_MAPPINGS} ports in all, found more")
        found.update(dict.fromkeys(single))
    return found


def _mappings(item: Section) -> list[Mapping]:
    """The single ports of one entry of portMappings, whose range says how many follow one another. Raises CNIError."""
    for key in ("hostPort", "containerPort"):
        if key not in item:
            raise item.wrong(key, f"a port from 1 to {LARGEST_PORT}")
    host_port, container_port = item.integer("hostPort", 1, LARGEST_PORT), item.integer("containerPort", 1, LARGEST_PORT)
    count, first = item.integer("range", 0, LARGEST_PORT) or 1, max(host_port, container_port)
    if first + count - 1 > LARGEST_PORT:
        raise item.wrong("range", f"at most {LARGEST_PORT + 1 - first} ports from {first} on")
    protocol = item.text("protocol").lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise item.wrong("protocol", ", ".join(PROTOCOLS))
    host_ip = item.address("hostIP")
    return [Mapping(protocol, host_port + step, container_port + step, host_ip) for step in range(count)]


def container_addresses(prev_result: Result, ifname: str) -> dict[int, address.Cidr]:
    """Bytes of an address -> the container's first one of that family.

    An address counts when its interface is unset, out of range, or the container's entry for *ifname*.
    """
    found: dict[int, address.Cidr] = {}
    interfaces = prev_result["interfaces"]
    for item in prev_result["ips"]:
        index = item.get("interface", -1)
        entry = interfaces[index] if 0 <= index < len(interfaces) else {"name": ifname, "sandbox": "any"}
        if entry.get("name") == ifname and entry.get("sandbox"):
            cidr = address.parse_cidr(item["address"])
            found.setdefault(len(cidr.address), cidr)
    return found


def host_links(attachment: Attachment, prev_result: Result) -> list[str]:
    """The names of the host's interfaces in prevResult. One called CNI_IFNAME is the container's, whose sandbox was forgotten (Azure)."""
    listed = [item.get("name", "") for item in prev_result["interfaces"] if not item.get("sandbox")]
    return [name for name in listed if name and name != attachment.ifname]


def plan(wanted: Options, attachment: Attachment, prev_result: Result, witness: str = "", level: int = 1) -> Plan:
    """All that publishes the ports of one attachment. witness: what core.kernel.witness knows; CHECK does without.

    level: which maps; those of level 2 are looked up behind those of level 1, and so on.
    """
    owner = f"{attachment.owner} {witness}".strip()
    localnet = LocalnetRouting(b"", tuple(host_links(attachment, prev_result)), not prev_result["interfaces"])
    made = Plan((TABLES[INET],), ())
    for size, cidr in container_addresses(prev_result, attachment.ifname).items():
        mappings = [item for item in wanted.mappings if item.host_ip is None or len(item.host_ip) == size]
        if mappings:
            made += _family(wanted, owner, cidr, mappings, localnet, level)
    _unique(made)
    return made if made.owned else Plan()


def _family(wanted: Options, owner: str, cidr: address.Cidr, mappings: list[Mapping], localnet: LocalnetRouting, level: int) -> Plan:
    """The mappings of one family. localnet: without its destination."""
    size = len(cidr.address)
    made = Plan()
    suffix = ""
    if size in wanted.conditions or level > 1:
        chain = conditional(size, wanted.conditions.get(size), level)
        suffix = chain.maps[0].name.removeprefix(f"hostports{names.TAGS[size]}")
        made += Plan((chain,))
    elements = []
    for item in mappings:
        check_deadline()
        host_ip = item.host_ip if item.host_ip and any(item.host_ip) else b""
        elements.append(names.port_element(item.protocol, host_ip, item.host_port, cidr.address, item.container_port, owner, suffix))
    made += Plan((), tuple(dict.fromkeys(elements)))
    if wanted.snat:
        chain = names.hairpin_any() if wanted.masquerade_all else names.hairpin(cidr)
        back = (names.hairpin_any_element(cidr.address, owner),) if wanted.masquerade_all else names.hairpin_elements(cidr, owner)
        routing = (replace(localnet, destination=cidr.address),) if size == 4 else ()
        made += Plan((chain, *routing), back)
    return made


def conditional(size: int, condition: Rule | None, level: int = 1) -> Chain:
    """The chain and maps of all mappings that share a condition, or stand on a level behind the first, or both."""
    from core.nft.expression import JUMP, Rule, decide  # late: as above
    from core.nft.rules import port_maps, port_rules

    tag = names.TAGS[size]
    suffix = (f"-{hashed(HASH_DIGITS, '', f'{tag} {condition.text}')}" if condition else "") + (f"-{level}" if level > 1 else "")
    maps = tuple([item for item in port_maps(suffix) if tag + suffix in item.name])
    name = "ip" if size == 4 else "ip6"
    rules = [rule for rule in port_rules(suffix) if rule.text.startswith(f"dnat {name} ")]
    if condition:
        ways = getattr(condition, "alternatives", (condition,))
        rules = [Rule(f"{way.text} {rule.text}", way.expressions + rule.expressions) for way in ways for rule in rules]
    chain = f"hostports{suffix}" if condition else f"hostports-{tag}{suffix}"
    entry = (names.FURTHER, Rule(f"jump {chain}", decide(JUMP, chain)))
    return Chain(INET, chain, tuple(rules), maps=maps, entries=(entry,))


def level_of(name: str, base: str) -> int:
    """The level of a map for one or for any address whose first level is called *base*; 0 if it is no such map."""
    kind, _, rest = name.removeprefix(SPECIFIC).partition(base)
    number = rest[1:]
    if kind or rest[:1] not in ("", "-"):
        return 0
    return 1 if not rest else int(number) if number.isdigit() and len(number) < HASH_DIGITS else 0


def _unique(made: Plan) -> None:
    """Refuse a host port that is asked for twice. Raises CNIError."""
    seen: dict[tuple[str, bytes], Element] = {}
    for item in made.owned:
        check_deadline()
        if isinstance(item, Element):
            other = seen.setdefault((item.map, item.key), item)
            if other != item:
                from core.plan.words import port  # late: only where two contradict each other

                raise CNIError(INVALID_CONFIG, f"runtimeConfig.portMappings: {port(other.text)} contradicts {port(item.text)}")
