"""The host-local IPAM plugin: addresses of this node's ranges, reserved in files that are the Go plugin's too.

Spec: section 4 "Plugin Delegation" (IPAM).
"""

from __future__ import annotations

from core import address, errors, result, version
from core.config import Section, cni_args, valid_attachments
from core.errors import CNIError
from core.record import record
from ipam import ranges, resolv, reservation
from ipam.store import Store, failure, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.protocol import Request
    from core.result import Result
    from ipam.ranges import RangeSet

NAME = "host-local"
VERSIONS = version.ALL
DATA_DIR = "/var/lib/cni/networks"
LOCK_TIMEOUT_S = 30


@record
class Settings:
    """What a configuration asks for; requested: packed addresses, each once, in the order they were named."""

    data_dir: str
    timeout_s: int
    sets: tuple[RangeSet, ...]
    requested: tuple[bytes, ...]
    routes: tuple[dict[str, object], ...]
    dns: dict[str, object]


def settings(request: Request) -> Settings:
    """Everything that ADD needs, checked. Raises CNIError(INVALID_CONFIG), INCOMPATIBLE_VERSION or INVALID_ENVIRONMENT."""
    config = request.config
    ipam = config.section("ipam")
    if not ipam.values:
        raise CNIError(errors.INVALID_CONFIG, "ipam: missing", "host-local takes its ranges from the key ipam")
    sets = ranges.configured(config, request.version)
    return Settings(
        ipam.text("dataDir") or DATA_DIR,
        ipam.integer("lockTimeout", 1, 600, LOCK_TIMEOUT_S),
        sets,
        _requested(config, request.args),
        tuple([result.route(item) for item in ipam.sections("routes")]),
        resolv.read(ipam.text("resolvConf")),
    )


def _requested(config: Section, args: str) -> tuple[bytes, ...]:
    """CNI_ARGS IP, args.cni.ips and runtimeConfig.ips add up; a prefix on them is ignored."""
    texts = [("CNI_ARGS: IP", value) for value in cni_args(args, ("IP",)).values()]
    for section in (config.section("args").section("cni"), config.section("runtimeConfig")):
        texts += [(section.name("ips"), value) for value in section.texts("ips")]
    found: dict[bytes, None] = {}
    for name, value in texts:
        try:
            packed = address.parse_cidr(value).address if "/" in value else address.parse(value)
        except ValueError:
            code = errors.INVALID_ENVIRONMENT if name.startswith("CNI_ARGS") else errors.INVALID_CONFIG
            raise CNIError(code, f"{name}: want an IP address, found {value!r}") from None
        found[packed] = None
    return tuple(found)


def add(request: Request) -> Result:
    """Reserve one address of each range set."""
    want = settings(request)
    try:
        with Store(want.data_dir, request.attachment.network, want.timeout_s, create=True) as store:
            chosen = _choose(store, request, want)
            store.reserve(request.attachment, [packed for packed, _ in chosen])
    except OSError as error:
        raise failure(want.data_dir, error) from None
    ips = [{"address": f"{address.text(packed)}/{member.subnet.prefix_len}", "gateway": address.text(member.gateway)} for packed, member in chosen]
    return {"ips": ips, "routes": list(want.routes), "dns": want.dns}


def _choose(store: Store, request: Request, want: Settings) -> list[tuple[bytes, ranges.Range]]:
    """An address for each set, nothing touched yet."""
    owned = store.owned(request.attachment)
    left = list(want.requested)
    chosen = []
    for index, one in enumerate(want.sets):
        wish = next((packed for packed in left if ranges.find(one, packed)), None)
        if wish is not None:
            left.remove(wish)
            chosen.append(_granted(store, one, wish, index))
        else:
            chosen.append(_next(store, request, one, index, owned))
    if left:
        raise CNIError(errors.ADDRESS_UNAVAILABLE, f"failed to allocate all requested IPs: {', '.join([address.text(packed) for packed in left])}", "no range set has room for them")
    return chosen


def _granted(store: Store, one: RangeSet, wish: bytes, index: int) -> tuple[bytes, ranges.Range]:
    member, name = ranges.find(one, wish), address.text(wish)
    assert member is not None
    if wish == member.gateway:
        raise CNIError(errors.ADDRESS_UNAVAILABLE, f"failed to allocate for range {index}: requested ip {name} is subnet's gateway")
    holder = store.read(wish)
    if holder is not None:
        who = reservation.owner(holder)
        raise CNIError(
            errors.ADDRESS_UNAVAILABLE,
            f"failed to allocate for range {index}: requested IP address {name} is not available in range set {ranges.text(one)}",
            f"it is reserved for {' '.join(who)}" if who else "",
        )
    return wish, member


def _next(store: Store, request: Request, one: RangeSet, index: int, owned: list[bytes]) -> tuple[bytes, ranges.Range]:
    for packed in owned:
        if ranges.find(one, packed):
            msg = f"{address.text(packed)} has been allocated to {request.attachment.container_id}, duplicate allocation is not allowed"
            raise CNIError(errors.ADDRESS_UNAVAILABLE, f"failed to allocate for range {index}: {msg}")
    for member, low, high in ranges.spans(one, store.last_reserved(index)):
        packed = store.first_free(low, high, len(member.start))
        if packed is not None:
            return packed, member
    raise CNIError(errors.ADDRESSES_EXHAUSTED, f"failed to allocate for range {index}: no IP addresses available in range set: {ranges.text(one)}")


def _data_dir(config: Section) -> str:
    """The state's root as far as it can be told: a configuration that ADD would refuse still has to be cleaned up after."""
    ipam = config.get("ipam")
    value = Section(ipam).get("dataDir") if isinstance(ipam, dict) else None
    return value if isinstance(value, str) and value else DATA_DIR


def delete(request: Request) -> None:
    """Free the attachment's addresses; that there are none, or no directory, is success."""
    data_dir = _data_dir(request.config)
    try:
        with Store(data_dir, request.attachment.network, LOCK_TIMEOUT_S) as store:
            store.release(request.attachment)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise CNIError(errors.TRY_AGAIN_LATER, failure(data_dir, error).msg) from None


def check(request: Request) -> None:
    """Compare the attachment's reservations with prevResult."""
    want = settings(request)
    prev = result.parse_prev(request.config, request.version)
    full = reservation.content(request.attachment.container_id, request.attachment.ifname)
    differences = []
    listed = [address.parse_cidr(item["address"]).address for item in (prev or {}).get("ips", [])]
    directory = f"{want.data_dir}/{request.attachment.network}"
    for packed in listed:
        if not any([ranges.find(one, packed) for one in want.sets]):
            continue
        data = read(f"{directory}/{address.text(packed)}")
        if data is None or data.strip() not in (full, reservation.legacy_content(request.attachment.container_id)):
            found = "no reservation" if data is None else repr(data.decode("utf-8", "replace"))
            differences.append(f"{address.text(packed)}: want {full.decode()!r}, found {found}")
    if differences:
        raise CNIError(errors.CHECK_FAILED, "host-local: " + "; ".join(differences))


def collect(request: Request) -> None:
    """GC."""
    valid_attachments(request.config)


def status(request: Request) -> None:
    """Whether ADD could be served."""
    settings(request)


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete, "GC": collect, "STATUS": status}
