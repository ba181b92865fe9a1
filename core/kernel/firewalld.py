"""Sources in the zones of firewalld, as a kernel's records: firewalld is asked over D-Bus.

Law: firewalld that does not run has nothing in its zones, so DEL has nothing to do; whatever else keeps it
from answering is an error. It forgets these sources whenever it is loaded anew, which CHECK tells.
"""

from __future__ import annotations

from errno import EAGAIN, EREMOTEIO

from core.address import host_prefix
from core.errors import INVALID_CONFIG, CNIError
from core.kernel import filter as packet_filter
from core.kernel.bus import NAME, Absent, absent, connection, hang_up
from core.nft.names import INET
from core.plan import apply
from core.plan.zones import KEY, ZoneSource, ZoneSources
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State

PATH, INTERFACE = "/org/fedoraproject/FirewallD1", f"{NAME}.zone"
ERRORS = "org.freedesktop.DBus.Error."
GONE = (f"{ERRORS}ServiceUnknown", f"{ERRORS}NameHasNoOwner")
LEFT = f"{ERRORS}NoReply"  # it was there when it was asked
# How firewalld's own errors begin.
THERE, ELSEWHERE, NO_ZONE, NOT_THERE = "ZONE_ALREADY_SET", "ZONE_CONFLICT", "INVALID_ZONE", "UNKNOWN_SOURCE"


class _No(OSError):
    """firewalld's answer is an error; code is the word that it begins with."""

    def __init__(self, text: str) -> None:
        super().__init__(EREMOTEIO, f"firewalld: {text}")
        self.code = text.partition(":")[0]


def _unanswered(why: str) -> OSError:
    """The error for a call that may have been carried out, and is worth another try."""
    error = OSError(EAGAIN, why)
    error.unanswered = True  # type: ignore[attr-defined]
    return error


def _ask(kernel: State, method: str, *arguments: str) -> str:
    """What a method of firewalld's zones answers. Raises Absent, _No, _unanswered, CNIError."""
    bus = connection(kernel)
    from core.dbus.connection import Refused  # late: loaded with the first connection

    try:
        return str(bus.call(NAME, PATH, INTERFACE, method, *arguments))
    except Refused as error:
        if error.name in GONE:
            raise absent(str(error.strerror)) from None
        if error.name == LEFT:
            raise _unanswered(f"firewalld has gone away: {error.text}") from None
        raise _No(error.text if error.name.startswith(NAME) and error.text else str(error.strerror)) from None
    except OSError as error:
        hang_up(kernel)
        raise _unanswered(str(error.strerror)) from None
    except ValueError as error:
        raise CNIError(INVALID_CONFIG, f"{KEY}: {error}") from None


def _zone_of(kernel: State, source: str) -> str:
    """The zone that a source is in, "" for none."""
    return _ask(kernel, "getZoneOfSource", source)


def _find(kernel: State, want: ZoneSource) -> ZoneSource | None:
    zone = _zone_of(kernel, str(want.source))
    return replace(want, zone=zone) if zone else None


def _create(kernel: State, want: ZoneSource) -> None:
    """Raises CNIError(INVALID_CONFIG) for a zone that there is not, or that is another than the source's."""
    source = str(want.source)
    try:
        _ask(kernel, "addSource", want.zone, source)
    except _No as error:
        if error.code == THERE:
            return
        if error.code == NO_ZONE:
            raise CNIError(
                INVALID_CONFIG,
                f'{KEY}: firewalld has no zone "{want.zone}"',
                "firewall-cmd --get-zones lists those that there are",
            ) from None
        if error.code == ELSEWHERE:
            zone = _zone_of(kernel, source)
            raise CNIError(
                INVALID_CONFIG,
                f'{KEY}: want {source} in zone "{want.zone}", but firewalld has it in "{zone}"',
                f"firewall-cmd --zone={zone} --remove-source={source} lets it go",
            ) from None
        raise


def _delete(kernel: State, want: ZoneSource) -> list[ZoneSource]:
    """Take a source out of its zone; what is in another one is somebody else's."""
    try:
        _ask(kernel, "removeSource", want.zone, str(want.source))
    except Absent:
        return []
    except _No as error:
        if error.code not in (NOT_THERE, ELSEWHERE, NO_ZONE):
            raise
        return []
    return [want]


def _delete_all(kernel: State, want: ZoneSources) -> list[Any]:
    """Whatever zone a source has been moved to, it is the owner's, who claims it; the claims go last."""
    if not kernel.netfilter.has_table(INET):
        return []
    claims = packet_filter.elements_of(kernel, want.claims)
    for address in [each.about.address for each in claims if each.about]:
        source = ZoneSource("", host_prefix(address))
        try:
            found = _find(kernel, source)
        except Absent:
            break
        if found:
            _delete(kernel, found)
    return packet_filter.DELETE[type(want.claims)](kernel, want.claims) if claims else []


def owned(kernel: State, kind: ZoneSources, network: str) -> list[tuple[str, ZoneSources]]:
    """(owner, all its sources) of every owner of a network. Raises OSError."""
    owners = dict.fromkeys([owner for owner, _ in packet_filter.owned(kernel, kind.claims, network)])
    return [(owner, replace(kind, owner=owner)) for owner in owners]


def inherited(kernel: Any, owner: str, zone: str, addresses: list[bytes]) -> list[CNIError]:
    """Delete what another suite's plugin, which notes nothing, has put into *zone* for an owner.

    addresses: those of prevResult; one that an attachment of ours claims is left to that. Where firewalld
    cannot be asked there is nothing to be done. Returns the failures.
    """
    try:
        if not addresses or not kernel.runs_firewalld():
            return []
        from core.nft import zoned  # late: only where firewalld runs

        claims = kernel.standing([zoned.element(each, owner) for each in addresses])
    except (OSError, CNIError):
        return []
    free = [address for address, claim in zip(addresses, claims) if claim is None]
    return apply.delete(kernel, [ZoneSource(zone, host_prefix(each)) for each in free])


FIND: dict[type, Any] = {ZoneSource: _find}
CREATE: dict[type, Any] = {ZoneSource: _create}
DELETE: dict[type, Any] = {ZoneSource: _delete, ZoneSources: _delete_all}
