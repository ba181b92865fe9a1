"""The tracked UDP flows of published ports, which outlive the rules that led them to a container."""

from __future__ import annotations

from core import system
from core.address import FAMILIES
from core.deadline import check as check_deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from core.address import Family


def forget(kernel: Any, plugin: str, elements: Iterable[Any]) -> None:
    """Flush the UDP flows of published ports, which would go on to whoever had them before.

    elements: of nft, each about a core.publication.Mapping, or such mappings themselves.
    A failure is only told, by *plugin*.
    """
    ports: dict[Family, set[int]] = {family: set() for family in FAMILIES}
    for item in elements:
        check_deadline()
        mapping: Any = getattr(item, "about", item)
        if getattr(mapping, "protocol", "") == "udp":
            ports[mapping.family].add(mapping.host_port)
    _flush(kernel, plugin, ports)


def forget_ports(kernel: Any, plugin: str, udp: Iterable[tuple[str, int]]) -> None:
    """As forget, of UDP ports that are told as (nft's word for the family, port)."""
    found = set(udp)
    _flush(
        kernel,
        plugin,
        {family: {port for word, port in found if word == family.word} for family in FAMILIES},
    )


def _flush(kernel: Any, plugin: str, ports: dict[Family, set[int]]) -> None:
    for family, wanted in ports.items():
        if not wanted:
            continue
        try:
            kernel.forget_flows(family, wanted)
        except OSError as error:
            system.tell(plugin, f"cannot flush UDP flows: {error.strerror}")
