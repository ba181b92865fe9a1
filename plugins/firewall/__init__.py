"""firewall: what a container sends is forwarded, and what answers it, whoever drops the rest.

A chained plugin: it needs the result of the plugin that made the interface, and answers with it unchanged.
Its ingressPolicy says which containers do not reach each other.
"""

from __future__ import annotations

from core import system
from core.address import host_prefix
from core.cni.result import host_links, parse_prev
from core.cni.version import since
from core.errors import NOT_AVAILABLE, TRY_AGAIN_LATER, CNIError, of_kernel
from core.intent import ADMIT, ISOLATE, ISOLATED, ZONE
from core.nft.names import Elements
from core.plan import apply, zones
from core.plan import filter as intents
from core.plan.opening import Admissions, note, opening
from core.plan.zones import ZoneSource
from core.record import replace
from core.verbs import chained
from plugins.firewall.options import FIREWALLD, Options
from plugins.firewall.options import options as options
from plugins.firewall.plan import Facts, bridge, container_addresses, families
from plugins.firewall.plan import plan as plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "firewall"
VERSIONS = since("0.4.0")
KINDS = (Admissions(), *intents.footprint(ISOLATE), *zones.footprint())
EVERY_FAMILY = ("inet", "ip", "ip6")
LEGACY = "iptables-legacy has a table filter; if it drops, let it accept the mark 0x8000000/0x8000000"


def footprint(attachment: Attachment) -> tuple[object, ...]:
    """The identities of all that plan().owned makes, for DEL: known without prevResult."""
    owner = attachment.owner
    return Admissions(owner), *intents.footprint(ISOLATE, owner), *zones.footprint(owner)


def look(kernel: Any, wanted: Options, attachment: Attachment, prev_result: Result) -> Facts:
    """Who drops, which port is the container's, and what will prove that it is gone. Raises CNIError."""
    from core.kernel import openings  # late: DEL and GC need none of it

    bridge(wanted.policy, attachment, prev_result)  # which refuses what cannot be looked for
    try:
        barriers = openings.barriers(kernel, families(container_addresses(prev_result)))
        port = _port(kernel, attachment, prev_result) if wanted.policy == ISOLATED else ""
        witness = chained.witness(kernel, attachment, prev_result)
    except OSError as error:
        raise CNIError(of_kernel(error.errno), f"cannot look at the host: {error.strerror}") from error
    return Facts(tuple(barriers), port, witness, openings.is_legacy())


def _port(kernel: Any, attachment: Attachment, prev_result: Result) -> str:
    """The container's port of its bridge, "" where its interface is none. Raises OSError."""
    from core.kernel import witness  # late: nearly nobody is isolated

    found = witness.ends(kernel, host_links(prev_result, attachment.ifname)[1:])
    return found[0] if found else ""


def carry_out(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    """Admit the container and answer with prevResult as it came."""
    attachment = request.attachment
    wanted = _decided(kernel, wanted)
    facts = look(kernel, wanted, attachment, prev_result)
    _note(kernel, wanted, facts)
    made = plan(wanted, attachment, prev_result, facts)
    if made.owned:
        apply.add(kernel, made, lambda: prev_result)
    return prev_result


def _decided(kernel: Any, wanted: Options) -> Options:
    """The options with a zone where firewalld runs alone. Raises CNIError(TRY_AGAIN_LATER)."""
    if not wanted.zone or kernel.runs_firewalld():
        return wanted
    if not wanted.undecided:
        raise CNIError(TRY_AGAIN_LATER, f'backend: "{FIREWALLD}" does not run', "start it, or name another")
    return replace(wanted, zone="")


def _note(kernel: Any, wanted: Options, facts: Facts) -> None:
    """What is no error, and keeps containers from being reached: a line for each."""
    if wanted.note:
        kernel.notes.append(wanted.note)
    closed = [each for each in facts.barriers if not opening(each, wanted.admin)]
    kernel.notes += [note(each) for each in closed if not (wanted.zone and each.table == FIREWALLD)]
    if facts.legacy:
        kernel.notes.append(LEGACY)


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """Every rule and element that ADD made and that is not as it made it."""
    from core.plan import difference  # late: CHECK only

    attachment = request.attachment
    zone = wanted.zone
    if wanted.undecided and not kernel.elements_of(Elements(ZONE, attachment.owner)):
        wanted = replace(wanted, zone="")  # firewalld did not run when ADD asked
    facts = look(kernel, wanted, attachment, prev_result)
    _note(kernel, wanted, facts)
    _tell(kernel)
    made = plan(wanted, attachment, prev_result, facts)
    found = difference.check(kernel, made) if made.owned else []
    return [] if found and _made_by_go(kernel, attachment, zone, prev_result) else found


def _made_by_go(kernel: Any, attachment: Attachment, zone: str, prev_result: Result) -> bool:
    """Whether the attachment is of the time before a node switched to us.

    Then nothing of ours stands for it, but the Go suite's rules do, or its sources in *zone*.
    """
    from core.kernel import go_admission  # late: nearly always all of ours stands

    if kernel.elements_of(Elements(ADMIT, attachment.owner)):
        return False
    addresses = container_addresses(prev_result)
    if go_admission.has_admission(kernel, addresses):
        return True
    sources = [ZoneSource(zone, host_prefix(each)) for each in addresses] if zone else []
    runs = bool(sources) and kernel.runs_firewalld()
    return runs and all([kernel.find(each) == each for each in sources])


def remains(kernel: Any, request: Request) -> list[CNIError]:
    """Delete what the Go suite made for the addresses of prevResult, where DEL brings it."""
    try:
        prev_result = parse_prev(request.config, request.version)
    except CNIError:
        return []  # DEL does what it can
    if prev_result is None:
        return []
    from core.kernel import firewalld, go_admission  # late: DEL only

    addresses = container_addresses(prev_result)
    failures = go_admission.delete_admission(kernel, addresses)
    try:
        zone = zones.chosen(request.config)
    except CNIError:
        return failures
    return failures + firewalld.inherited(kernel, request.attachment.owner, zone, addresses)


def available(kernel: Any, wanted: Options) -> None:
    """Tell who drops what is forwarded and cannot be opened.

    Raises CNIError where nftables or what the configuration names cannot be used.
    """
    kernel.probe_filter()
    if wanted.iptables:
        kernel.probe_iptables()
    try:
        wanted = _decided(kernel, wanted)
    except CNIError as error:
        raise CNIError(NOT_AVAILABLE, error.msg, error.details) from None
    from core.kernel import openings  # late: as in look

    _note(kernel, wanted, Facts(tuple(openings.barriers(kernel, EVERY_FAMILY)), legacy=openings.is_legacy()))
    _tell(kernel)


def _tell(kernel: Any) -> None:
    for each in dict.fromkeys(kernel.notes):
        system.tell(NAME, each)


COMMANDS = chained.COMMANDS
