"""The network configuration of a node's pods: a template, filled in with the node's podCIDRs, as a file.

Law: the file appears whole or not at all, somebody else's is never touched, and one that living pods were
wired by keeps its addresses.

`"subnet": "usePodCidr"` and `"usePodCidrIPv6"` in the template stand for the node's podCIDR of a family, the
words that Calico has for it. Of a family that the node does not have, the range set goes, and with it the
routes. The file says in MARK whose it is; runtimes ignore that key.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.address import V4, V6, Cidr, Family, contains, parse_cidr
from core.cni.json import render
from core.errors import CNIError
from ipam.host_local import reservation
from launcher.conflist import parse_list

MARK = "cniwire.node"  # a key of the list: the node for which it was written
WORDS = {"usePodCidr": V4, "usePodCidrIPv6": V6}
ENDINGS = (".conf", ".conflist", ".json")  # of files that runtimes read


def filled(template: bytes, networks: Sequence[Cidr], node: str) -> dict[str, Any]:
    """The configuration list for a node. Raises ValueError that says what is wrong with the template."""
    try:
        made = json.loads(template)
        parse_list(template, "the template")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the template is no JSON: {error}") from None
    except CNIError as error:
        raise ValueError(error.msg) from None
    of_family = {network.family: str(network) for network in networks}
    for plugin in made["plugins"]:
        ipam = plugin.get("ipam")
        if isinstance(ipam, dict) and (asked := _asked(ipam)):
            missing = [family for family in asked if family not in of_family]
            if len(missing) == len(asked):
                raise ValueError(f"plugin {plugin['type']} wants a podCIDR of a family that the node lacks")
            _fill(ipam, of_family, missing)
    return {**made, MARK: node}


def _ranges(ipam: dict[str, Any]) -> list[dict[str, Any]]:
    """All objects of ipam that may have a subnet; shared with it."""
    sets = ipam["ranges"] if isinstance(ipam.get("ranges"), list) else []
    members = [each for one in sets if isinstance(one, list) for each in one]
    return [each for each in [ipam, *members] if isinstance(each, dict)]


def _asked(ipam: dict[str, Any]) -> list[Family]:
    """The families of which a podCIDR is asked for."""
    words = [each.get("subnet") for each in _ranges(ipam)]
    return [WORDS[word] for word in words if isinstance(word, str) and word in WORDS]


def _fill(ipam: dict[str, Any], of_family: dict[Family, str], missing: Sequence[Family]) -> None:
    """Put the podCIDRs in, in place; leave out what is of a family that is missing."""

    def lacks(each: Any) -> bool:
        word = each.get("subnet") if isinstance(each, dict) else None
        return isinstance(word, str) and WORDS.get(word) in missing

    if lacks(ipam):
        del ipam["subnet"]
    if isinstance(ipam.get("ranges"), list):
        sets = [[each for each in one if not lacks(each)] for one in ipam["ranges"] if isinstance(one, list)]
        ipam["ranges"] = [one for one in sets if one]
    for each in _ranges(ipam):
        if isinstance(each.get("subnet"), str) and each["subnet"] in WORDS:
            each["subnet"] = of_family[WORDS[each["subnet"]]]
    if isinstance(ipam.get("routes"), list):
        ipam["routes"] = [route for route in ipam["routes"] if _family(route) not in missing]


def _family(route: Any) -> Family | None:
    try:
        return parse_cidr(route["dst"]).family
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # the plugin will say what is wrong


@dataclass(frozen=True)
class Found:
    """A file as it is. made: its list, {} where it is none. mark: the node of MARK, "" in somebody else's."""

    made: dict[str, Any]
    mark: str


def read(path: str) -> Found | None:
    """What stands at *path*, None for nothing. Raises OSError."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return Found({}, "")
    made = found if isinstance(found, dict) else {}
    mark = made.get(MARK)
    return Found(made, mark if isinstance(mark, str) else "")


def write(path: str, made: dict[str, Any]) -> None:
    """Write a list, at once and for good. Raises OSError."""
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".cniwire-", suffix=".new", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(render(made, 2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def ours(folder: str) -> list[str]:
    """The paths of the files that runtimes read and that we wrote. Raises OSError."""
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(ENDINGS)]
    return [path for path in paths if (found := read(path)) and found.mark]


def addresses(made: dict[str, Any]) -> tuple[Any, ...]:
    """What of a list may not change under living pods: its name, bridges and addresses."""
    return made.get("name"), [(each.get("bridge"), each["ipam"]) for each in _plugins(made) if "ipam" in each]


def _plugins(made: dict[str, Any]) -> list[dict[str, Any]]:
    found = made.get("plugins")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def bridges(made: dict[str, Any]) -> list[str]:
    """The bridges of a list."""
    return [str(each.get("bridge") or "cni0") for each in _plugins(made) if each.get("type") == "bridge"]


def reserved(made: dict[str, Any]) -> int:
    """How many addresses host-local has reserved for a list."""
    count = 0
    for ipam in [each["ipam"] for each in _plugins(made) if isinstance(each.get("ipam"), dict)]:
        folder = os.path.join(str(ipam.get("dataDir") or reservation.DATA_DIR), str(made.get("name")))
        try:
            count += sum(reservation.packed(name) is not None for name in os.listdir(folder))
        except (OSError, ValueError):
            pass  # nobody has an address yet
    return count


def masqueraded(made: dict[str, Any], networks: Sequence[Cidr]) -> list[str]:
    """Those of the node's networks whose pods reach other nodes' pods under the node's address, as text."""
    found = []
    for plugin in _plugins(made):
        if plugin.get("ipMasq") is True:
            listed = plugin.get("ipMasqOutside")
            texts = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
            wider = [parse_cidr(each) for each in texts]
            found += [str(each) for each in networks if not any(_is_within(each, one) for one in wider)]
    return found


def _is_within(network: Cidr, wider: Cidr) -> bool:
    return wider.prefix_len < network.prefix_len and contains(wider, network.address)
