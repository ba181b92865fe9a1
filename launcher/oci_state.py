"""What an OCI runtime tells its hooks of a container, and what the container's annotations ask for.

Whatever is wrong in it is one Failure that names key and value. OCI runtime specification: "State",
"POSIX-platform Hooks", "Annotations".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.address import mac_parse, mac_text
from core.cni import json
from core.cni.protocol import is_identifier
from core.errors import CNIError
from launcher import ports, wishes
from launcher.conflist import LISTS, SINGLES
from launcher.failures import Failure
from launcher.usage import closest
from launcher.wishes import Wishes

ALIVE, STOPPED = ("creating", "created", "running"), "stopped"
HIGHEST_PID = 1 << 22  # PID_MAX_LIMIT (linux/threads.h)
PREFIX = "cniwire."
KEYS = NETWORKS, PUBLISH, IP, MAC, IFNAME = tuple(
    PREFIX + key for key in ("networks", "publish", "ip", "mac", "ifname")
)


@dataclass(frozen=True)
class State:
    """A container as its runtime sees it.

    pid: its first process, 0 when it has stopped. bundle: the folder with its config.json, "" if not told.
    """

    container_id: str
    stopped: bool
    pid: int = 0
    bundle: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """What a container's config.json says of its network namespace.

    own: it gets a new one. path: it gets this one, which somebody else made; "" otherwise.
    """

    own: bool = True
    path: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


def state(data: bytes) -> State:
    """The state that a runtime wrote to stdin. Raises Failure."""
    values = document(data, "the state on stdin")
    container_id, status = values.get("id"), values.get("status")
    if not isinstance(container_id, str) or not is_identifier(container_id):
        want = "letters, digits, dots, dashes and underscores"
        raise wrong("the state on stdin: id", want, container_id)
    if status not in (*ALIVE, STOPPED):
        raise wrong("the state on stdin: status", f"{', '.join(ALIVE)} or {STOPPED}", status)
    pid = values.get("pid") if status != STOPPED else 0
    if status != STOPPED and not (type(pid) is int and 0 < pid <= HIGHEST_PID):
        raise wrong("the state on stdin: pid", "the number of a process", pid)
    bundle = values.get("bundle") or ""
    if not isinstance(bundle, str) or "\0" in bundle:
        raise wrong("the state on stdin: bundle", "the path of a folder", bundle)
    annotations = texts(values.get("annotations"), "the state on stdin: annotations")
    return State(container_id, status == STOPPED, int(pid or 0), bundle, annotations)


def bundle(data: bytes, path: str) -> Bundle:
    """What the config.json at *path* says. Raises Failure."""
    values = document(data, path)
    linux = values.get("linux") or {}
    listed = (linux.get("namespaces") or []) if isinstance(linux, dict) else linux
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise wrong(f"{path}: linux.namespaces", "a list of objects", listed)
    paths = [each.get("path") or "" for each in listed if each.get("type") == "network"]
    named = next(iter(paths), "")
    if not isinstance(named, str) or "\0" in named:
        raise wrong(f"{path}: linux.namespaces: path", "a path", named)
    annotations = texts(values.get("annotations"), f"{path}: annotations")
    return Bundle(bool(paths) and not named, named, annotations)


def asked(annotations: Mapping[str, str]) -> tuple[list[str], Wishes]:
    """The networks that annotations name, and what else they ask for.

    One that begins as ours do and is none of them is an error, because it is misspelled. Raises Failure.
    """
    for key in annotations:
        if key.startswith(PREFIX) and key not in KEYS:
            close = closest(key, KEYS, alike=0.8)  # all share the prefix
            known = f"did you mean {close}?" if close else f"there are {', '.join(KEYS)}"
            raise Failure(f"annotation {key}: there is none of that name; {known}")
    given = {key: parts(key, annotations[key]) if key in annotations else [] for key in KEYS}
    for key in (MAC, IFNAME):
        if len(given[key]) > 1:
            raise wrong(f"annotation {key}", "a single one", annotations[key])
    for name in given[NETWORKS]:
        # No files: who writes annotations need not be who may say what is executed here.
        if not is_identifier(name) or name.endswith(LISTS + SINGLES):
            raise wrong(f"annotation {NETWORKS}", "names of networks", name)
    twice = next((name for name in given[NETWORKS] if given[NETWORKS].count(name) > 1), "")
    if twice:
        raise wrong(f"annotation {NETWORKS}", "each network once", annotations[NETWORKS])
    mappings = tuple(each(PUBLISH, text, ports.parse) for text in given[PUBLISH])
    addresses = tuple(each(IP, text, wishes.address) for text in given[IP])
    macs = [each(MAC, text, lambda text: mac_text(mac_parse(text))) for text in given[MAC]]
    ifname, mac = next(iter(given[IFNAME]), ""), next(iter(macs), "")
    return given[NETWORKS], Wishes(ifname, mappings, addresses=addresses, mac=mac)


def parts(key: str, text: str) -> list[str]:
    """The parts of a list with commas.

    Raises Failure for one that is empty: it may stand for a variable that was not set.
    """
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise wrong(f"annotation {key}", "a value, several with commas between", text)
    return found


def each(key: str, text: str, read: Any) -> Any:
    """One part of an annotation, as *read* reads it. Raises Failure."""
    try:
        return read(text)
    except CNIError as error:
        raise Failure(f"annotation {key}: {error.msg}") from None
    except ValueError as error:
        raise Failure(f"annotation {key}: {error}") from None


def texts(values: Any, what: str) -> dict[str, str]:
    """An object whose values are texts; none where there is no object. Raises Failure."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise wrong(what, "an object", values)
    for key, value in values.items():
        if not isinstance(value, str):
            raise wrong(f"{what}: {key}", "a text", value)
    return values


def document(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises Failure."""
    if not data.strip():
        raise Failure(f"{what}: want a JSON object, found nothing")
    try:
        return json.parse_object(data, what)
    except CNIError as error:
        raise Failure(f"{what}: want a JSON object: {error.details or error.msg}") from None


def wrong(what: str, want: str, found: object) -> Failure:
    """The failure for a value that is not as wanted; it is shown as far as a line has room for it."""
    return Failure(f"{what}: want {want}, found {json.render(found)[:60]}")
