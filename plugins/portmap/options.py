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

CONDITIONS = {V4: "conditionsV4", V6: "conditionsV6"}
LARGEST_PORT = 65535
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
    """The backend of the packet filter. Refuses what it does not have, naming every key.

    needed: whether there are mappings; without, nothing that is asked for would change anything.
    externalSetMarkChain says how iptables masquerades, which nft does by itself; so does markMasqBit, and
    with nft chosen nobody looks at it.
    """
    name = config.text("backend")
    if name not in ("", intents.NFTABLES, intents.IPTABLES):
        raise config.wrong("backend", f'"{intents.NFTABLES}"')
    if "markMasqBit" in config and config.text("externalSetMarkChain"):
        raise CNIError(INVALID_CONFIG, "markMasqBit contradicts externalSetMarkChain", "choose one of them")
    config.integer("markMasqBit", 0, 31)
    offending = [f'backend: "{name}"'] if name == intents.IPTABLES else []
    if name != intents.NFTABLES and config.get("markMasqBit") is not None:
        offending.append(f"markMasqBit: {config.get('markMasqBit')}")
    for family, key in CONDITIONS.items():
        if _is_iptables_style(config.texts(key)) and not _translated(config.texts(key), family):
            offending.append(f"{key}: {config.texts(key)}")
    if offending and needed:
        told = f"{'; '.join(offending)}: the iptables backend is not supported yet"
        raise CNIError(UNSUPPORTED_FIELD, told, f'use backend "{intents.NFTABLES}" and nft words')
    return intents.NFT


def _is_iptables_style(words: list[str]) -> bool:
    return bool(words) and words[0].startswith(("-", "!"))


def _translated(words: list[str], family: Family) -> list[str]:
    """The nft words for iptables' matches on addresses; empty for any other."""
    from core.nft.conditions import from_iptables  # late: conditions are rare

    try:
        return from_iptables(words, family)
    except ValueError:
        return []


def _condition(config: Section, backend: Any, family: Family) -> tuple[Any, str]:
    """What has to hold for the mappings of a family. Raises CNIError."""
    key = CONDITIONS[family]
    words = config.texts(key)
    other = next(each.word for each in FAMILIES if each is not family)
    if other in " ".join(words).split():
        raise config.wrong(key, f"matches without {other}, which would never hold")
    try:
        compiled = backend.condition(
            _translated(words, family) if _is_iptables_style(words) else words, family
        )
    except ValueError as error:
        raise CNIError(INVALID_CONFIG, f"{key}: {error}") from None
    rule, tag = compiled
    return rule, tag


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
