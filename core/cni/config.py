"""A plugin's configuration: typed access with the key rules of the reference's JSON decoder.

Keys match in any case, null is absent, a wrong type is an error that names key and value.
Spec: section 1 "Network configuration format", section 3 "Deriving runtimeConfig". Pure.
"""

from __future__ import annotations

from core.address import Cidr, parse_cidr
from core.address import parse as parse_address
from core.cni.json import render
from core.errors import DECODING_FAILURE, INVALID_CONFIG, INVALID_ENVIRONMENT, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

VALID_ATTACHMENTS = ("cni.dev/valid-attachments", "cni.dev/attachments")
TRUTHS = {"1": True, "true": True, "0": False, "false": False}


class Section:
    """One JSON object of the configuration and the path that leads to it ("ipam.ranges[0]").

    Every getter raises CNIError(INVALID_CONFIG) when the value is not of the type in the getter's name.
    """

    __slots__ = ("_folded", "path", "values")

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path
        self._folded = {key.lower(): value for key, value in values.items() if value is not None}

    def __contains__(self, key: str) -> bool:
        return key.lower() in self._folded

    def get(self, key: str) -> Any:
        """The plain value of *key* in any case, None when it is absent or null."""
        return self._folded.get(key.lower())

    def name(self, key: str) -> str:
        """The key with its path, for messages."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, want: str) -> CNIError:
        """The error for a value that is not what it has to be."""
        return CNIError(INVALID_CONFIG, f"{self.name(key)}: want {want}, found {_shown(self.get(key))}")

    def text(self, key: str, default: str = "") -> str:
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, "a string")
        return value

    def needed(self, key: str) -> str:
        """A string that has to be there and not to be empty."""
        value = self.text(key)
        if not value:
            raise self.wrong(key, "a string that is not empty")
        return value

    def boolean(self, key: str, default: bool = False) -> bool:
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int, default: int = 0) -> int:
        """An integer within low..high, both allowed; `1.0` and `"1"` are none."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"an integer from {low} to {high}")
        return value

    def section(self, key: str) -> Section:
        """The object below *key*; an empty one when it is absent."""
        value = self.get(key)
        if value is None:
            return Section({}, self.name(key))
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Section(value, self.name(key))

    def items(self, key: str) -> list[Any]:
        """The plain members of a list; empty when it is absent."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def sections(self, key: str) -> list[Section]:
        """The objects of a list; empty when it is absent."""
        found = self.items(key)
        if not all(isinstance(item, dict) for item in found):
            raise self.wrong(key, "a list of objects")
        return [Section(item, f"{self.name(key)}[{index}]") for index, item in enumerate(found)]

    def texts(self, key: str) -> list[str]:
        """The strings of a list; empty when it is absent."""
        found = self.items(key)
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(key, "a list of strings")
        return found

    def parsed(self, key: str, parser: Callable[[str], T], want: str) -> T | None:
        """What *parser* makes of the string of *key*; None when it is absent or empty.

        A ValueError of the parser becomes the error that *want* was wanted.
        """
        value = self.text(key)
        if not value:
            return None
        try:
            return parser(value)
        except ValueError:
            raise self.wrong(key, want) from None

    def address(self, key: str) -> bytes | None:
        """A packed IP address, None when absent or empty."""
        return self.parsed(key, parse_address, "an IP address")

    def cidr(self, key: str) -> Cidr | None:
        """An address with prefix length, None when absent or empty."""
        return self.parsed(key, parse_cidr, "an address with prefix length")


def _shown(value: Any) -> str:
    shown = render(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _decoded(config: Section, key: str) -> str:
    """The string of *key*, "" when absent. Raises CNIError(DECODING_FAILURE) when it is no string.

    Other keys have another code: these two are looked at first, as a part of decoding.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, str):
        raise CNIError(DECODING_FAILURE, config.wrong(key, "a string").msg)
    return value or ""


def version(config: Section) -> str:
    """cniVersion; missing or empty means 0.1.0. Raises CNIError(DECODING_FAILURE) when it is no string."""
    return _decoded(config, "cniVersion") or "0.1.0"


def network_name(config: Section) -> str:
    """The name, "" when absent. Raises CNIError(DECODING_FAILURE) when it is no string."""
    return _decoded(config, "name")


def cni_args(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The pairs of CNI_ARGS "K=V;K=V" whose keys are in *known*.

    Each piece holds exactly one `=`; other keys are an error unless IgnoreUnknown is true.
    Raises CNIError(INVALID_ENVIRONMENT).
    """
    pairs = {}
    for piece in text.split(";") if text else ():
        key, equals, value = piece.partition("=")
        if not equals or "=" in value:
            raise CNIError(INVALID_ENVIRONMENT, f"CNI_ARGS: want KEY=VALUE, found {piece!r} in {text!r}")
        pairs[key] = value
    given = pairs.pop("IgnoreUnknown", "0")
    tolerant = TRUTHS.get(given.lower())
    if tolerant is None:
        raise CNIError(
            INVALID_ENVIRONMENT, f"CNI_ARGS: IgnoreUnknown: want 1, true, 0 or false, found {given!r}"
        )
    unknown = sorted(set(pairs) - set(known))
    if unknown and not tolerant:
        raise CNIError(
            INVALID_ENVIRONMENT,
            f"CNI_ARGS: unknown keys {', '.join(unknown)}",
            f"this plugin knows {', '.join(known) or 'none'}; "
            "add IgnoreUnknown=1 to pass keys that are meant for others",
        )
    return {key: value for key, value in pairs.items() if key in known}


def asked_ips(config: Section) -> list[list[tuple[str, str]]]:
    """(name of the key, value) for each text of args.cni.ips, and the same for runtimeConfig.ips.

    Raises CNIError(INVALID_CONFIG).
    """
    sections = (config.section("args").section("cni"), config.section("runtimeConfig"))
    return [[(section.name("ips"), text) for text in section.texts("ips")] for section in sections]


def parsed(name: str, text: str, parser: Callable[[str], T], want: str) -> T:
    """What *parser* makes of one of several texts: of a list, or of a variable (name: `CNI_ARGS: KEY`).

    Raises CNIError(INVALID_CONFIG), INVALID_ENVIRONMENT.
    """
    try:
        return parser(text)
    except ValueError:
        code = INVALID_ENVIRONMENT if name.startswith("CNI_ARGS") else INVALID_CONFIG
        raise CNIError(code, f"{name}: want {want}, found {text!r}") from None


def valid_attachments(config: Section) -> set[tuple[str, str]] | None:
    """The (container ID, ifname) that GC has to keep; None when the key is absent, which means "do nothing".

    Here alone null does not mean absent: libcni writes it for an empty list, when no attachment is left.
    An incomplete entry is an error: what it was meant to keep would be deleted.
    Spec: section 2 "GC". Raises CNIError(INVALID_CONFIG).
    """
    given = {key.lower() for key in config.values}
    named, valued = [[key for key in VALID_ATTACHMENTS if key in keys] for keys in (given, config)]
    for key in valued or named:
        return {(item.needed("containerID"), item.needed("ifname")) for item in config.sections(key)}
    return None
