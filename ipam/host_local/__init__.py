"""The host-local IPAM plugin: addresses of this node's ranges, reserved in files that the Go plugin shares.

Law: ADD chooses every address before it touches one.
Spec: section 4 "Plugin Delegation".
"""

from __future__ import annotations

from errno import ENAMETOOLONG

from core import address, deadline, errors
from core.cni import result, version
from core.errors import CNIError
from ipam.host_local import ranges, reservation, settings
from ipam.host_local.files import failure, make
from ipam.host_local.reservation import CONTENT_LIMIT
from ipam.host_local.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cni.protocol import Request
    from core.cni.result import Result
    from ipam.host_local.ranges import RangeSet
    from ipam.host_local.settings import Settings

    Choice = tuple[bytes, ranges.Range]

NAME = "host-local"
VERSIONS = version.ALL
NAME_MAX = 255  # bytes of a directory's name: limits.h
TRIES = 3  # an address may turn out to be taken by somebody who does not use the lock


def add(request: Request) -> Result:
    """Reserve one address of each range set."""
    want = settings.parse(request)
    _check_sizes(request)
    try:
        make(want.directory)
        with Store(want.directory) as store:
            chosen = _reserve(store, request, want)
    except OSError as error:
        raise failure(want.directory, error) from None
    return {"ips": [_ip(*choice) for choice in chosen], "routes": list(want.routes), "dns": want.dns}


def _ip(packed: bytes, member: ranges.Range) -> dict[str, str]:
    cidr = f"{address.text(packed)}/{member.subnet.prefix_len}"
    return {"address": cidr, "gateway": address.text(member.gateway)}


def _check_sizes(request: Request) -> None:
    """Refuse an owner that does not fit into a reservation file, and a name that no directory can have."""
    attachment = request.attachment
    size = len(reservation.contents(attachment.container_id, attachment.ifname)[0])
    network = len(attachment.network)
    if size > CONTENT_LIMIT:
        most = CONTENT_LIMIT - size + len(attachment.container_id)
        msg = f"CNI_CONTAINERID: want at most {most} characters, found {len(attachment.container_id)}"
        raise CNIError(errors.INVALID_ENVIRONMENT, msg, "more are not read back from a reservation")
    if network > NAME_MAX:
        msg = f"name: want at most {NAME_MAX} characters, found {network}"
        raise CNIError(errors.INVALID_CONFIG, msg, "a directory is called so")


def _reserve(store: Store, request: Request, want: Settings) -> list[Choice]:
    for attempt in range(TRIES):
        chosen = _choose(store, request, want)
        deadline.check()  # the last moment at which there is nothing to undo
        try:
            held = request.delegator.held if request.delegator else None
            wanted = {number: packed for number, (packed, _) in enumerate(chosen)}
            store.reserve(request.attachment, wanted, held)
        except FileExistsError as error:
            if attempt + 1 == TRIES:
                msg = f"{want.directory}: {error.filename2} is taken by somebody who ignores the lock"
                raise CNIError(errors.TRY_AGAIN_LATER, msg) from None
            store.refresh()
        else:
            return chosen
    raise AssertionError("unreachable")


def _choose(store: Store, request: Request, want: Settings) -> list[Choice]:
    """An address for each range set. Raises CNIError(ADDRESS_UNAVAILABLE, ADDRESSES_EXHAUSTED)."""
    _, owned = store.owned(request.attachment)
    left = list(want.requested)
    chosen: list[Choice] = []
    for number, one in enumerate(want.sets):
        wish = next((packed for packed in left if ranges.find(one, packed)), None)
        if wish is None:
            chosen.append(_next(store, request, one, number, owned))
        else:
            left.remove(wish)
            chosen.append(_granted(store, request, one, wish, number))
    if left:
        unused = ", ".join([address.text(packed) for packed in left])
        msg = f"failed to allocate all requested IPs: {unused}"
        raise CNIError(errors.ADDRESS_UNAVAILABLE, msg, "each range set gives one, of its own ranges")
    return chosen


def _granted(store: Store, request: Request, one: RangeSet, wish: bytes, number: int) -> Choice:
    """A requested address, when it can be had."""
    member, name = ranges.find(one, wish), address.text(wish)
    assert member is not None
    if wish == member.gateway:
        raise _refused(number, f"requested ip {name} is subnet's gateway")
    holder = store.entry(wish)
    if holder is not None and not _reclaimed(store, request, wish, holder):
        who = " ".join(reservation.owner(holder) or ()).strip()
        msg = f"requested IP address {name} is not available in range set {ranges.text(one)}"
        raise _refused(number, msg, f"it is reserved for {who}" if who else "")
    return wish, member


def _reclaimed(store: Store, request: Request, packed: bytes, content: bytes) -> bool:
    """Take an address from a holder that cannot be alive; whether that was possible.

    The holder may be the attachment itself, whose first ADD was killed. If the interface plugin that
    asks us finds that the attachment does not exist, and the ADD that reserved the address is over,
    nobody needs the address.
    """
    attachment = request.attachment
    own = content == reservation.contents(attachment.container_id, attachment.ifname)[0]
    dead = store.is_dead(packed, content, attachment.netns if own else "")
    if own and request.delegator and request.delegator.there:
        dead = (dead or store.is_abandoned(packed)) and not request.delegator.there()
    if not dead:
        return False
    from ipam.host_local.exhaustion import reclaim  # late: rare

    return reclaim(store, [(packed, content)])


def _next(store: Store, request: Request, one: RangeSet, number: int, owned: list[bytes]) -> Choice:
    """The next address of a range set. Raises CNIError when the attachment has one already, as after an ADD.

    If that is left of a dead holder it is freed.
    """
    for packed in owned:
        content = store.entry(packed) if ranges.find(one, packed) else None
        if content is not None and not _reclaimed(store, request, packed, content):
            container_id = request.attachment.container_id
            holder = f"{address.text(packed)} has been allocated to {container_id}"
            raise _refused(number, f"{holder}, duplicate allocation is not allowed")
    found = store.first_free(one, number)
    if found is None:
        from ipam.host_local.exhaustion import exhausted, searched  # late: a full range set is rare

        found = searched(store, one, number)
        if found is None:
            raise exhausted(store, one, number)
    return found


def _refused(number: int, msg: str, details: str = "") -> CNIError:
    return CNIError(errors.ADDRESS_UNAVAILABLE, f"failed to allocate for range {number}: {msg}", details)


def delete(request: Request) -> None:
    """Free the attachment's addresses; that there are none, or no directory, is success.

    Raises CNIError(TRY_AGAIN_LATER): the runtime has to come again, or an address is lost.
    """
    path = settings.directory(request)
    try:
        with Store(path) as store:
            content, found = store.owned(request.attachment)
            held = [(packed, content) for packed in found] or _named_by_files(store, request)
            failures = store.release(held)
            failures += store.unreadable[:1]  # it may be the attachment's
        if not (held or failures or "prevResult" in request.config):
            from ipam.host_local.edited import release  # late: only where nothing is found

            failures = release(path, request.attachment)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == ENAMETOOLONG:  # so ADD never made it
            return
        raise failure(path, error, errors.TRY_AGAIN_LATER) from None
    if failures:
        raise failure(path, failures[0], errors.TRY_AGAIN_LATER)


def _listed(request: Request) -> list[bytes]:
    """The addresses that prevResult names. Raises CNIError where it is no result."""
    prev = result.parse_prev(request.config, request.version) or {}
    return [address.parse_cidr(item["address"]).address for item in prev.get("ips", [])]


def _named_by_files(store: Store, request: Request) -> list[tuple[bytes, bytes]]:
    """(address, content) of those in prevResult whose files name the attachment, though the index does not.

    A file that was edited in place leaves the directory unchanged, so the index counts as in step with it.
    """
    try:
        listed = _listed(request)
    except CNIError:  # DEL can do without prevResult
        return []
    contents = reservation.contents(request.attachment.container_id, request.attachment.ifname)
    read = store.directory.try_read
    found = [(packed, read(address.text(packed))[0]) for packed in dict.fromkeys(listed)]
    return [(packed, content) for packed, content in found if content in contents]


def check(request: Request) -> None:
    """Compare the addresses of prevResult with the reservations."""
    from ipam.host_local.comparison import differences  # late: CHECK only

    want, listed = settings.parse(request), _listed(request)
    try:
        found = differences(want, request.attachment, listed)
    except OSError as error:
        raise failure(want.directory, error) from None
    if found:
        from core.plan.difference import report  # late: only where there is a difference

        report(found)


def collect(request: Request) -> None:
    """GC: free what belongs to no valid attachment."""
    from ipam.host_local.leaks import free  # late: GC only

    free(request)


def status(request: Request) -> None:
    """Whether ADD could be served: NOT_AVAILABLE when a range set is full, or the directory is none."""
    from ipam.host_local.availability import examine  # late: STATUS only

    examine(settings.parse(request))


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete, "GC": collect, "STATUS": status}
