"""The files of a report: configurations, cached results, reservations."""

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from core.cni import json
from core.errors import CNIError
from ipam.host_local.reservation import DATA_DIR
from launcher import cache, conflist, traces
from launcher.redaction import Redaction
from launcher.report_part import MOST, attempt, content, document, indented
from launcher.session import Session

ENDINGS = (*conflist.LISTS, *conflist.SINGLES)
NEWEST = 100  # files of the cache that are told whole; of others there is a line
ADDRESSES = 1000  # files of a directory of reservations


def configurations(session: Session, redaction: Redaction) -> Iterator[str]:
    """Every file of the configuration directory, and of the folders of its networks."""
    folder = session.conf_dir
    names = sorted(os.listdir(folder))
    yield f"{folder}: {len(names)} entries"
    for path in [os.path.join(folder, name) for name in names]:
        within = sorted(os.listdir(path)) if os.path.isdir(path) else []
        paths = [os.path.join(path, name) for name in within] or [path]
        for each in paths:
            yield from configuration(each, redaction) if each.endswith(ENDINGS) else [f"{each}: passed over"]


def configuration(path: str, redaction: Redaction) -> Iterator[str]:
    """One file: as a document where it is one, else as it is."""

    def told() -> Iterator[str]:
        data = content(path)
        cut = f", of which this is the beginning: {MOST >> 10} KiB" if len(data) == MOST else ""
        yield f"{path}: {os.stat(path).st_size} bytes{cut}"
        try:
            yield document(json.parse_object(data, "it"), redaction)
        except CNIError as error:
            yield f"    {error.msg}; it says:"
            yield indented(data.decode("utf-8", "replace"))

    return attempt(path, told)


def results(session: Session, redaction: Redaction) -> Iterator[str]:
    """The cached results, the newest first, each with the configuration in it decoded."""
    for folder in session.cache.folders:
        paths = cache.paths_in(folder)
        yield f"{folder}: {len(paths)} files"
        newest = sorted(paths, key=age)
        for path in newest[:NEWEST]:
            yield from attempt(path, of_path(cached, path, redaction))
        yield from newest[NEWEST:]


def age(path: str) -> float:
    """For sorting: the newest first, what is gone meanwhile last."""
    try:
        return -os.lstat(path).st_mtime
    except OSError:
        return 0.0


def of_path(
    tell: Callable[[str, Redaction], Iterable[str]], path: str, redaction: Redaction
) -> Callable[[], Iterable[str]]:
    """*tell*, bound to a path."""
    return lambda: tell(path, redaction)


def cached(path: str, redaction: Redaction) -> Iterator[str]:
    """One file of the cache. Raises OSError, CNIError."""
    data, _ = cache.content(path)
    values: dict[str, Any] = dict(json.parse_object(data, "it"))
    if isinstance(values.get("config"), str):
        try:
            values["config"] = json.parse_object(base64.b64decode(values["config"]), "its configuration")
        except (ValueError, CNIError):
            values["config"] = "no configuration that can be decoded"
    yield path
    yield document(values, redaction)


def reservations(session: Session, redaction: Redaction) -> Iterator[str]:
    """The directories of host-local: the one of each network, and whatever else is in the usual place."""
    found = {os.path.join(DATA_DIR, name): None for name in sorted(traces.names_in(DATA_DIR))}
    for _, network in conflist.load_all(session.conf_dir) if os.path.isdir(session.conf_dir) else ():
        if isinstance(network, conflist.Network):
            folders = [traces.directory(network.name, plugin) for plugin in network.plugins]
            found.update(dict.fromkeys(filter(None, folders)))
    for folder in found:
        yield from attempt(folder, of_path(reserved, folder, redaction))
    if not found:
        yield "no network has host-local, and there is nothing in its usual place"


def reserved(folder: str, redaction: Redaction) -> Iterator[str]:
    """One directory: a line for each file. Raises OSError."""
    if not os.path.lexists(folder):
        yield f"{folder}: not there yet"
        return
    names = sorted(os.listdir(folder))
    yield f"{folder}: {len(names)} files"
    for name in names[:ADDRESSES]:
        path = os.path.join(folder, name)
        try:
            said = traces.contents(path)[0][:200].decode("utf-8", "replace").split()
        except OSError as error:
            said = [f"({error.strerror or error})"]
        yield f"    {name:<24} {' '.join(said)}" if is_address(name) else f"    {name}"
    yield from [f"    {len(names) - ADDRESSES} more"] if len(names) > ADDRESSES else ()


def is_address(name: str) -> bool:
    """Whether a file holds an address, or the last one; an index is not for reading."""
    return name[:1] in "0123456789abcdef:" or name.startswith("last_reserved_ip")
