"""The result cache: one file per attachment, in the format and under the names that libcni uses.

It is what DEL, CHECK and GC know of an earlier ADD, also of one that another runtime did. Directory 0700, files 0600.
Law: what other runtimes put there may be anything. A file that names an attachment is believed to that extent, whatever else is wrong
with it; anything that is no such file is passed over, and never waited for.
"""

import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.cni import json, result
from core.errors import CNIError
from launcher import answers
from launcher.failures import PRIVILEGE, Failure

KIND = "cniCacheV1"
LARGEST = (
    1 << 24
)  # bytes that are read of a file; the most that one attachment can ask for is a fraction of it


@dataclass(frozen=True)
class Request:
    """What a runtime asks of a network for one attachment.

    netns: a path, "" when the namespace is gone. args: CNI_ARGS as pairs.
    capability_args: values by capability; a plugin gets those that it declares.
    """

    container_id: str
    ifname: str
    netns: str = ""
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cached:
    """One file of the cache: the request, the configuration list (bytes) and the result (document) of an ADD.

    written: when, in seconds since the epoch; 0 when nobody knows.
    """

    network: str
    request: Request
    config: bytes
    result: Mapping[str, Any]
    path: str = ""
    written: float = field(default=0.0, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """(container ID, ifname): how GC names it."""
        return self.request.container_id, self.request.ifname


class Cache:
    """The files of `<directory>/results`. Those of *others*, such as Multus's, are read as well, and written only to forget what is gone."""

    def __init__(self, directory: str, *others: str) -> None:
        self.results = os.path.join(directory, "results")
        self.folders = [self.results, *(os.path.join(other, "results") for other in others)]

    def path(self, network: str, request: Request) -> str:
        """Where an attachment is kept, or would be. Raises Failure without network, container ID or ifname."""
        if not (network and request.container_id and request.ifname):
            found = f"found {network!r}, {request.container_id!r} and {request.ifname!r}"
            raise Failure(f"a cached attachment needs network, container ID and interface name; {found}")
        paths = [
            os.path.join(folder, f"{network}-{request.container_id}-{request.ifname}")
            for folder in self.folders
        ]
        return next((path for path in paths if os.path.lexists(path)), paths[0])

    def write(self, network: str, request: Request, config: bytes, outcome: Mapping[str, Any]) -> None:
        """Keep a successful ADD; the file is complete or absent, even after a power cut. Raises Failure."""
        path = os.path.join(self.results, os.path.basename(self.path(network, request)))
        values = {
            "kind": KIND,
            "containerId": request.container_id,
            "config": base64.b64encode(config).decode(),
            "ifName": request.ifname,
            "networkName": network,
            "netns": request.netns,
            "cniArgs": [list(pair) for pair in request.args],
            "capabilityArgs": dict(request.capability_args),
            "result": dict(outcome),
        }
        import tempfile  # only here

        text = json.render({key: value for key, value in values.items() if value or key == "config"})
        try:
            os.makedirs(self.results, mode=0o700, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".", dir=self.results)  # mode 0600
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(handle)
                os.rename(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            hint = "choose another directory with --cache-dir"
            raise Failure(f"cannot write the result cache {path}: {error.strerror}", hint=hint) from None

    def remove(self, network: str, request: Request) -> None:
        """Forget an attachment; one that is not there is fine. Raises Failure."""
        try:
            os.unlink(self.path(network, request))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Failure(f"cannot remove {self.path(network, request)}: {error.strerror}") from None

    def read(self, network: str, request: Request) -> Cached | None:
        """What is kept of an attachment, None when nothing is. Raises Failure for a file of another kind or broken."""
        path = self.path(network, request)
        try:
            return decode(*content(path), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"cannot read the result cache {path}: {error.strerror}") from None

    def result(self, network: str, version: str, request: Request) -> dict[str, Any] | None:
        """The cached result in the shape of *version*, None when there is none. Raises CNIError when it is unusable.

        A file of the older kind holds the result alone.
        """
        path = self.path(network, request)
        try:
            values = json.parse_object(content(path)[0], f"the result cache {path}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"cannot read the result cache {path}: {error.strerror}") from None
        kept = values.get("result") if values.get("kind") == KIND else values
        if not kept:
            raise Failure(f"the result cache {path} holds no result")
        return in_version(kept, version, f"the cached result {path}")

    def attachments(self, container_id: str = "") -> list[Cached]:
        """Every readable attachment, by folder and file name, each once; of one container if *container_id* is given. Raises Failure."""
        found: dict[tuple[str, str, str], Cached] = {}
        for path in (path for folder in self.folders for path in paths_in(folder)):
            try:
                cached = decode(*content(path), path)
            except (OSError, CNIError):
                continue  # not ours to judge: libcni passes over such files too
            found.setdefault((cached.network, *cached.key), cached)
        return [cached for cached in found.values() if container_id in ("", cached.request.container_id)]


def paths_in(folder: str) -> list[str]:
    """The files of a folder, sorted by name; none when there is no folder. Raises Failure."""
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        hint = (
            PRIVILEGE if isinstance(error, PermissionError) else "choose another directory with --cache-dir"
        )
        raise Failure(f"cannot read the result cache {folder}: {error.strerror}", hint=hint) from None


def content(path: str) -> tuple[bytes, float]:
    """What a regular file holds, and when it was written. A FIFO or device is neither waited for nor read. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(None, f"want a regular file of at most {LARGEST >> 20} MiB")
        return file.read(), status.st_mtime


def in_version(kept: Any, version: str, what: str) -> dict[str, Any]:
    """A result document in the shape of *version*; one that has it already is passed on as it is, unknown keys included.

    Raises CNIError.
    """
    version = version or "0.1.0"
    parsed = result.parse(kept, version, what)
    if parsed["cniVersion"] == version:
        return {**(kept or {}), "cniVersion": version}
    return result.render(parsed, version)


def decode(data: bytes, written: float, path: str) -> Cached:
    """One cache file. Raises Failure when it is of another kind or names no attachment, CNIError when it is no JSON."""
    values = json.parse_object(data, f"the result cache {path}")
    if values.get("kind") != KIND:
        raise Failure(
            f"the result cache {path} is of the wrong kind: want {KIND}, found {values.get('kind')!r}"
        )
    network, container_id, ifname = (values.get(key) for key in ("networkName", "containerId", "ifName"))
    if not all(isinstance(name, str) and name for name in (network, container_id, ifname)):
        raise Failure(f"the result cache {path} is damaged: it names no network, container or interface")
    try:
        args = tuple((str(key), str(value)) for key, value in values.get("cniArgs") or [])
        config = base64.b64decode(values.get("config") or "", validate=True)
        capability_args = dict(values.get("capabilityArgs") or {})
        outcome = dict(values.get("result") or {})
    except (TypeError, ValueError) as error:
        raise Failure(f"the result cache {path} is damaged: {error!r}") from None
    request = Request(str(container_id), str(ifname), namespace_path(values, outcome), args, capability_args)
    return Cached(str(network), request, config, outcome, path, written)


def namespace_path(values: Mapping[str, Any], outcome: Mapping[str, Any]) -> str:
    """The namespace's path, "" where the file does not tell.

    libcni writes the key netns since its version 1.2. Podman's and older ones do not; there the result's interfaces say their sandbox.
    """
    inside = answers.interfaces(outcome)
    inside.sort(key=lambda item: item["name"] != values.get("ifName"))
    paths = [
        answers.text(values.get("netns")),
        *(item["sandbox"] for item in inside if item["sandbox"].startswith("/")),
    ]
    return next((path for path in paths if path and "\0" not in path), "")
