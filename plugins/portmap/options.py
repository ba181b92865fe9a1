"""What a portmap configuration asks for: every key read and checked. Pure but for the clock of the verb."""

from __future__ import annotations

from core.address import FAMILIES, V4, V6
from core.cni.config import Section
from core.deadline import check as check_deadline
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.nft.names import PROTOCOLS
from core.plan import filter as intents
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Family

OTHER = {intents.NFTABLES: intents.IPTABLES, intents.IPTABLES: intents.NFTABLES}
CONDITIONS = {V4: "conditionsV4", V6: "conditionsV6"}
LARGEST_PORT = 65535
LARGEST_BIT = 31  # of a packet's mark
LONGEST_CHAIN = 28  # of iptables, without the end of the string
MOST_MAPPINGS = (
    5 * LARGEST_PORT
)  # every port of every protocol; a mistake in a range must not fill the memory
LOOPBACK6 = bytes(15) + b"\1"


class Wanted(Record):
    """One port that is to be published.

    host_address: packed, None for every address of both families; all zero for every one of its own.
    """

    protocol: str
    host_port: int
    container_port: int
    host_address: bytes | None


class Options(Record):
    """The keys of the configuration, checked.

    conditions: family -> what has to hold besides, in the form of the backend, and its tag.
    without_loopback6: mappings of ::1 were left out, since the kernel lets no answer back to it.
    """

    mappings: tuple[Wanted, ...]
    snat: bool
    masquerade_all: bool
    conditions: dict[Family, tuple[Any, str]]
    backend: Any
    without_loopback6: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do, or to tell."""
        return bool(self.mappings) or self.without_loopback6


def options(config: Section, _args: str = "") -> Options:
    """Read and check every key. Raises CNIError."""
    found = _all_mappings(config.section("runtimeConfig"))
    backend = _backend(config, bool(found))
    mappings = [each for each in found if each.host_address != LOOPBACK6]
    asked = [family for family in FAMILIES if config.texts(CONDITIONS[family]) and found]
    return Options(
        tuple(mappings),
        config.boolean("snat", True),
        config.boolean("masqAll"),
        {family: _condition(config, backend, family) for family in asked},
        backend,
        len(mappings) < len(found),
    )


def _backend(config: Section, needed: bool) -> Any:
    """The backend that the configuration names, or that its other keys need; nft where they need none.

    Raises CNIError where keys need different ones, naming all of them. needed: whether there are mappings;
    without, nothing that is asked for would change anything. markMasqBit is no contradiction to nft, which
    has no use for it, where the configuration says nftables: as with the reference.
    """
    name, chain = intents.named(config, "backend"), config.text("externalSetMarkChain")
    if "markMasqBit" in config and chain:
        raise CNIError(INVALID_CONFIG, "markMasqBit contradicts externalSetMarkChain", "choose one of them")
    bit = config.integer("markMasqBit", 0, LARGEST_BIT)
    needs: dict[str, list[str]] = {intents.NFTABLES: [], intents.IPTABLES: []}
    for key in CONDITIONS.values():
        if config.texts(key):
            style = intents.IPTABLES if _is_iptables_style(config.texts(key)) else intents.NFTABLES
            needs[style].append(f"{key}: {config.texts(key)}")
    if chain:
        needs[intents.IPTABLES].append(f"externalSetMarkChain: {chain}")
    if "markMasqBit" in config and name != intents.NFTABLES:
        needs[intents.IPTABLES].append(f"markMasqBit: {bit}")
    both = [*needs[intents.NFTABLES], *needs[intents.IPTABLES]]
    choice = name or (intents.IPTABLES if needs[intents.IPTABLES] else intents.NFTABLES)
    offending = needs[OTHER[name]] if name else both if all(needs.values()) else []
    if offending and needed:
        told = f'backend: "{name}" contradicts ' if name else "different backends are needed for "
        raise CNIError(UNSUPPORTED_FIELD, told + "; ".join(offending), "one backend has to do for all keys")
    if choice == intents.NFTABLES:
        return intents.NFT
    if not chain_complaint(chain):
        return intents.iptables(mark_chain=chain, **({"mark_bit": bit} if "markMasqBit" in config else {}))
    raise config.wrong("externalSetMarkChain", f"the name of a chain of iptables ({chain_complaint(chain)})")


def chain_complaint(name: str) -> str:
    """Why *name* cannot name a chain of iptables, "" where it can, or is empty: none is asked for."""
    if not name.isascii() or not name.isprintable() or set(name) & set(' "\\'):
        return "letters, digits, - and _"
    if name.startswith(("-", "!")) or len(name) > LONGEST_CHAIN:
        return f"at most {LONGEST_CHAIN} characters, no - or ! in front"
    return ""


def _is_iptables_style(words: list[str]) -> bool:
    return bool(words) and words[0].startswith(("-", "!"))


def _condition(config: Section, backend: Any, family: Family) -> tuple[Any, str]:
    """What has to hold for the mappings of a family. Raises CNIError."""
    key = CONDITIONS[family]
    words = config.texts(key)
    other = next(each.word for each in FAMILIES if each is not family)
    if other in " ".join(words).split() and not _is_iptables_style(words):
        raise config.wrong(key, f"matches without {other}, which would never hold")
    try:
        compiled, tag = backend.condition(words, family)
    except ValueError as error:
        raise CNIError(INVALID_CONFIG, f"{key}: {error}") from None
    return compiled, tag


def _all_mappings(runtime: Section) -> dict[Wanted, None]:
    """The mappings of portMappings, each once. Raises CNIError, and Expired: there may be very many."""
    found: dict[Wanted, None] = {}
    count = 0
    for item in runtime.sections("portMappings"):
        check_deadline()
        single = _mappings(item)
        count += len(single)
        if count > MOST_MAPPINGS:
            want = f"want at most {MOST_MAPPINGS} ports in all, found more"
            raise CNIError(INVALID_CONFIG, f"runtimeConfig.portMappings: {want}")
        found.update(dict.fromkeys(single))
    return found


def _mappings(item: Section) -> list[Wanted]:
    """The ports of one entry of portMappings; its range says how many follow one another. Raises CNIError."""
    for key in ("hostPort", "containerPort"):
        if key not in item:
            raise item.wrong(key, f"a port from 1 to {LARGEST_PORT}")
    host_port, container_port = [item.integer(key, 1, LARGEST_PORT) for key in ("hostPort", "containerPort")]
    count, first = item.integer("range", 0, LARGEST_PORT) or 1, max(host_port, container_port)
    if first + count - 1 > LARGEST_PORT:
        raise item.wrong("range", f"at most {LARGEST_PORT + 1 - first} ports from {first} on")
    protocol = item.text("protocol").lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise item.wrong("protocol", ", ".join(PROTOCOLS))
    host_address = item.address("hostIP")
    return [Wanted(protocol, host_port + step, container_port + step, host_address) for step in range(count)]
