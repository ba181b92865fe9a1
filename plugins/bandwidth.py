"""bandwidth: how much a container may take in and send, limited at the host's end of its veth pair.

A chained plugin: it needs the result of the plugin that made the pair, and adds the ifb to it, if there is
one. Rates are bits a second, bursts bits, as the reference has them; the kernel gets bytes.
"""

from __future__ import annotations

from core.address import mac_text
from core.attachment import Attachment
from core.cni.config import Section
from core.cni.version import since
from core.errors import INVALID_CONFIG, CNIError
from core.plan import apply
from core.plan.records import HOST, Plan
from core.plan.shaping import Ifb, IngressHook, Queue, Redirect, TokenBucket, ifb_name, queue_handle
from core.record import Record, replace
from core.verbs import chained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "bandwidth"
VERSIONS = since("0.3.0")  # the first whose results list interfaces
ENTERS = True
KINDS = (TokenBucket, IngressHook, Ifb)
KEYS = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
U32, U64 = 2**32 - 1, 2**64 - 1
LATENCY_PART = 40  # of a second: 25 ms, for which the reference lets packets wait behind a full burst
TICK_NS = 64
COARSE_US = 1000  # a burst that lasts no longer is not rounded to microseconds, as the reference does
LEAST_QUEUE = 2**17  # bytes; a packet that is cut up later has up to 68 kB
ETHERNET_BYTES = 14


class Limit(Record):
    """rate: bytes a second; burst: bytes."""

    rate: int
    burst: int

    @property
    def buffer(self) -> int:
        """How long the rate takes for the burst, in the kernel's ticks, as many as its field holds.

        Rounded as the reference does, whose CHECK compares; which overflows here.
        """
        us = self.burst * 10**6 // self.rate
        ticks = us * 1000 // TICK_NS if us > COARSE_US else -(-self.burst * 10**9 // self.rate // TICK_NS)
        return min(ticks, U32)


class Options(Record):
    """The keys of the configuration, checked: what the container may take in, and send; None for anything."""

    ingress: Limit | None
    egress: Limit | None

    def __bool__(self) -> bool:
        return bool(self.ingress or self.egress)


def options(config: Section, _args: str = "") -> Options:
    """Read and check every key. What stands in the configuration itself hides all that the runtime sends.

    Raises CNIError.
    """
    itself = any([key in config for key in KEYS])
    given = config if itself else config.section("runtimeConfig").section("bandwidth")
    return Options(_limit(given, *KEYS[:2]), _limit(given, *KEYS[2:]))


def _limit(given: Section, rate_key: str, burst_key: str) -> Limit | None:
    rate, burst = given.integer(rate_key, 0, U64), given.integer(burst_key, 0, U64)
    if not rate and not burst:
        return None
    if rate < 8:
        raise given.wrong(rate_key, f"at least 8 bits per second, as {burst_key} is set")
    if burst < 8:
        raise given.wrong(burst_key, f"at least 8 bits, as {rate_key} is set")
    if burst // 8 >= U32:
        raise given.wrong(burst_key, "less than 4 GiB, which are 34359738360 bits")
    return Limit(rate // 8, burst // 8)


def plan(wanted: Options, attachment: Attachment, link: str, mtu: int = 0) -> Plan:
    """All that limits one attachment.

    link: the host's end; mtu: what the ifb gets, 0 for the kernel's own.
    """
    owner, ifb = attachment.owner, ifb_name(attachment)
    made: tuple[Any, ...] = ()
    if wanted.egress:
        made = Ifb(HOST, ifb, "ifb", owner, mtu=mtu), *_limited(ifb, owner, wanted.egress)
        made += IngressHook(link, owner, ifb), Redirect(link, ifb)
    if wanted.ingress:
        made += _limited(link, owner, wanted.ingress)
    return Plan((), made)


def _limited(link: str, owner: str, limit: Limit) -> tuple[Any, ...]:
    """A token bucket with the reference's values, and its queue, which is ours.

    The reference's queue holds the burst once more, in one row: all that comes later waits behind it.
    """
    waiting = limit.rate // LATENCY_PART
    bucket = TokenBucket(link, owner, limit.rate, min(waiting + limit.burst, U32), limit.buffer)
    return bucket, Queue(link, queue_handle(owner), min(max(waiting, LEAST_QUEUE), U32))


def footprint(attachment: Attachment) -> tuple[Any, ...]:
    """The identities of all that plan() makes: known without prevResult; a namespace helps to find them."""
    owner, ifb = attachment.owner, ifb_name(attachment)
    return TokenBucket("", owner), IngressHook("", owner, ifb), Ifb(HOST, ifb, "ifb", owner)


def host_link(kernel: Any, attachment: Attachment, prev_result: Result) -> Any:
    """The host's end of the container's veth pair, which prevResult has to list. Raises CNIError."""
    ifname = attachment.ifname
    listed = [item["name"] for item in prev_result["interfaces"] if not item.get("sandbox")]
    if not listed:
        want = f"want the host's end of {ifname} in interfaces, found no interface of the host"
        raise CNIError(INVALID_CONFIG, f"prevResult: {want}")
    end = kernel.host_end(ifname)
    if end is None:
        other = "has no other end in the host: only a veth pair can be limited"
        raise CNIError(INVALID_CONFIG, f"CNI_IFNAME: {ifname} {other}")
    if end.name not in listed:
        want = f"want {end.name}, the host's end of {ifname}, in interfaces, found {', '.join(listed)}"
        raise CNIError(INVALID_CONFIG, f"prevResult: {want}")
    return end


def carry_out(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    """Limit the link and answer with prevResult, to which the ifb is added, if there is one."""
    attachment = request.attachment
    link = host_link(kernel, attachment, prev_result)
    for key, limit in ((KEYS[1], wanted.ingress), (KEYS[3], wanted.egress)):
        if limit and limit.burst < link.mtu + ETHERNET_BYTES:
            kernel.notes.append(f"{key}: {limit.burst} bytes; no packet that is larger will pass")
    made = plan(wanted, attachment, link.name, link.mtu)
    return apply.add(kernel, made, lambda: _answer(kernel, request, wanted, prev_result))


def _answer(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    if not wanted.egress:
        return prev_result
    ifb = kernel.need(HOST, ifb_name(request.attachment))
    size = {"mtu": ifb.mtu} if request.version == "1.1.0" else {}
    told = {"name": ifb.name, "mac": mac_text(ifb.mac), **size}
    return {**prev_result, "interfaces": [*prev_result["interfaces"], told]}


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """Every record that ADD made and that is not as it made it."""
    from core.plan import difference  # late: CHECK only

    try:
        link = host_link(kernel, request.attachment, prev_result)
    except CNIError as error:
        return [str(error)]
    made = plan(wanted, request.attachment, link.name)
    found = difference.check(kernel, made)
    return found if found and difference.check(kernel, _by_the_reference(made)) else []


def _by_the_reference(made: Plan) -> Plan:
    """What the Go suite would have made instead: ifbs without a mark, queues as the kernel makes them."""
    unmarked: dict[type, dict[str, Any]] = {Ifb: {"owner": ""}, Queue: {"handle": 0}}
    return Plan((), tuple([replace(each, **unmarked.get(type(each), {})) for each in made.owned]))


COMMANDS = chained.COMMANDS
