"""What a tuning configuration asks for: every key read and checked. Pure."""

from __future__ import annotations

from core.address import mac_parse
from core.cni import json
from core.cni.config import Section, cni_args
from core.errors import INVALID_CONFIG, INVALID_ENVIRONMENT, CNIError
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "/run/cni/tuning"
LARGEST_MTU, LARGEST_QUEUE = 2**31 - 1, 2**32 - 1
SYSCTL, IFNAME = "sysctl", "IFNAME"
OF_LINKS = ("conf", "neigh")  # folders of /proc/sys/net in which names are those of links, and may have dots
UNICAST = "a unicast MAC"


class Options(Record):
    """The keys of the configuration, checked.

    mac: b"" for none; mtu: 0 for none; promiscuous and what follows it: None where nothing is asked for.
    sysctls: path below /proc/sys, with IFNAME in it -> the key as it is written, and the value.
    folder: of the backup files.
    """

    mac: bytes
    mtu: int
    promiscuous: bool | None
    all_multicast: bool | None
    tx_queue_len: int | None
    sysctls: dict[str, tuple[str, str]]
    folder: str

    @property
    def of_link(self) -> bool:
        """Whether a setting of the link is asked for."""
        switches = (self.promiscuous, self.all_multicast, self.tx_queue_len)
        return bool(self.mac or self.mtu) or any([each is not None for each in switches])

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.of_link or bool(self.sysctls)


def options(config: Section, args: str) -> Options:
    """Read and check every key; args.cni wins over the configuration, key by key. Raises CNIError."""
    override = config.section("args").section("cni")

    def of(key: str) -> Section:
        return override if key in override else config

    sysctls = _sysctls(config.section(SYSCTL)) | _sysctls(override.section(SYSCTL))
    all_multicast = of("allmulti").boolean("allmulti") if "allmulti" in of("allmulti") else None
    queue = of("txQLen").integer("txQLen", 0, LARGEST_QUEUE) if "txQLen" in of("txQLen") else None
    folder = config.text("dataDir") or FOLDER
    if not folder.startswith("/") or "\0" in folder:
        raise config.wrong("dataDir", "an absolute path")
    return Options(
        _mac(config, override, cni_args(args, ("MAC",))),
        of("mtu").integer("mtu", 0, LARGEST_MTU),
        of("promisc").boolean("promisc") or None,
        all_multicast,
        queue,
        sysctls,
        folder,
    )


def _mac(config: Section, override: Section, args: dict[str, str]) -> bytes:
    """args.cni wins over runtimeConfig, that over CNI_ARGS, and that over the configuration; b"" for none.

    An empty one in args.cni asks for none.
    """
    if "mac" in override:
        return override.parsed("mac", mac_parse, UNICAST) or b""
    own = config.parsed("mac", mac_parse, UNICAST) or b""
    if args.get("MAC"):
        try:
            own = mac_parse(args["MAC"])
        except ValueError as error:
            raise CNIError(INVALID_ENVIRONMENT, f"CNI_ARGS: MAC: {error}") from None
    return config.section("runtimeConfig").parsed("mac", mac_parse, UNICAST) or own


def _sysctls(section: Section) -> dict[str, tuple[str, str]]:
    """Path -> key and value; null is absent. Raises CNIError."""
    found: dict[str, tuple[str, str]] = {}
    for key, value in section.values.items():
        if value is None:
            continue
        path = sysctl_path(key)
        if not path:
            raise CNIError(INVALID_CONFIG, f"{section.name(key)}: want a setting below /proc/sys/net")
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            shown = json.render(value)[:80]
            raise CNIError(INVALID_CONFIG, f"{section.name(key)}: want a string with a value, found {shown}")
        if path in found:
            raise CNIError(INVALID_CONFIG, f"{section.name(key)} and {found[path][0]} are the same setting")
        found[path] = key, value
    return found


def sysctl_path(key: str) -> str:
    """The path below /proc/sys of a sysctl, which may be written with dots or with slashes.

    "" for one that is not below net. In the name of a link, the separator that comes first in the key leaves
    the other one as a dot: net.ipv4.conf.eth0/100.arp_notify, net/ipv4/conf/eth0.100/arp_notify.
    """
    first = next((each for each in key if each in "/."), "/")
    separator, other = ("/", ".") if first == "/" else (".", "/")
    parts: list[str] = []
    for part in key.split(separator):
        if parts and parts[-1] in OF_LINKS:
            parts.append(part.replace(other, "."))
        else:
            parts += part.split(other)
    parts = [part for part in parts if part]
    sound = all([part.isprintable() and " " not in part and part not in (".", "..") for part in parts])
    return "/".join(parts) if sound and parts[:1] == ["net"] and len(parts) > 1 else ""


def substituted(wanted: Options, ifname: str) -> dict[str, str]:
    """Path below /proc/sys -> value, with the link's name for IFNAME. Raises CNIError."""
    found: dict[str, tuple[str, str]] = {}
    for path, (key, value) in wanted.sysctls.items():
        other, _ = found.setdefault(path.replace(IFNAME, ifname, 1), (key, value))
        if other != key:
            raise CNIError(INVALID_CONFIG, f"sysctl.{key} and {other} are the same setting of {ifname}")
    return {path: value for path, (_, value) in found.items()}


class _Pairs(json.Rules):
    """Objects as tuples of their pairs, a repeated key as often as it is there."""

    object_pairs_hook = staticmethod(tuple)  # type: ignore[assignment]


def refuse_repeated(stdin: bytes) -> None:
    """Raise CNIError where a sysctl stands twice: the usual decoder keeps the last of them."""
    document = json.parse(stdin, "network configuration", _Pairs)
    for path in ((SYSCTL,), ("args", "cni", SYSCTL)):
        seen: set[str] = set()
        for key, _ in _object(document, path):
            if key in seen:
                raise CNIError(INVALID_CONFIG, f"{'.'.join(path)}.{key} stands there twice")
            seen.add(key)


def _object(pairs: Any, path: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The pairs of the object at *path*, the last of that name; none where it is no object."""
    for step in path:
        found = [value for key, value in pairs if key.lower() == step]
        pairs = found[-1] if found and isinstance(found[-1], tuple) else ()
    return tuple(pairs)
