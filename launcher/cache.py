"""The result cache: one file per attachment, in the format and under the names that libcni uses.

It is what DEL, CHECK and GC know of an earlier ADD, also of one that another runtime did. Directory 0700,
files 0600.

Law: other runtimes may have put anything there. A file that names an attachment counts as that attachment,
even if the rest of it is damaged. Every other file is skipped, and reading never blocks (FIFOs, devices).
"""

import base64
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.cni import json, result
from core.errors import CNIError
from launcher import answers
from launcher.failures import PRIVILEGE, Failure
from launcher.request import Request
from launcher.surroundings import start_time
from launcher.values import UNNAMED

KIND = "cniCacheV1"
STARTED = "netnsProcessStart"  # a key of our own, which libcni skips
PROCESS = re.compile(r"/proc/(\d{1,10})/ns/net")
LARGEST = 1 << 24  # bytes of a file that is read; no attachment needs more than a fraction of it


@dataclass(frozen=True)
class Cached:
    """One file of the cache: the request, the configuration list (bytes) and the result (document) of an ADD.

    written: when, in seconds since the epoch; 0 when nobody knows.
    started: when the process began whose /proc/PID/ns/net is the path, in ticks since boot; else 0.
    """

    network: str
    request: Request
    config: bytes
    result: Mapping[str, Any]
    path: str = ""
    written: float = field(default=0.0, compare=False)
    started: int = field(default=0, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """(container ID, ifname): how GC names it."""
        return self.request.container_id, self.request.ifname


class Cache:
    """The files of `<directory>/results`.

    Those of *others*, such as Multus's, are read as well; they are only ever changed by removing a file whose
    attachment is gone.
    """

    def __init__(self, directory: str, *others: str) -> None:
        self.results = os.path.join(directory, "results")
        self.folders = [self.results, *(os.path.join(other, "results") for other in others)]

    def path(self, network: str, request: Request) -> str:
        """Where an attachment is kept, or would be.

        Raises Failure without network, container ID or ifname.
        """
        if not (network and request.container_id and request.ifname):
            found = f"found {network!r}, {request.container_id!r} and {request.ifname!r}"
            raise Failure(f"a cached attachment needs network, container ID and interface name; {found}")
        name = f"{network}-{request.container_id}-{request.ifname}"
        paths = [os.path.join(folder, name) for folder in self.folders]
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
            STARTED: process_start(request.netns),
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
        """What is kept of an attachment, None when nothing is.

        Raises Failure when the file is damaged or of another kind.
        """
        path = self.path(network, request)
        try:
            return decode(*content(path), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"cannot read the result cache {path}: {error.strerror}") from None

    def result(self, network: str, version: str, request: Request) -> dict[str, Any] | None:
        """The cached result in the shape of *version*, None when there is none.

        A file of the older kind holds the result alone. Raises CNIError when the result cannot be used.
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
        """Every readable attachment, each once, in the order of folders and file names.

        container_id: only those of this container. Raises Failure.
        """
        found: dict[tuple[str, str, str], Cached] = {}
        for path in (path for folder in self.folders for path in paths_in(folder)):
            try:
                cached = decode(*content(path), path)
            except (OSError, CNIError):
                continue  # libcni skips such files, too
            found.setdefault((cached.network, *cached.key), cached)
        return [cached for cached in found.values() if container_id in ("", cached.request.container_id)]


def paths_in(folder: str) -> list[str]:
    """The files of a folder, sorted by name; none when there is no folder. Raises Failure."""
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        no_right = isinstance(error, PermissionError)
        hint = PRIVILEGE if no_right else "choose another directory with --cache-dir"
        raise Failure(f"cannot read the result cache {folder}: {error.strerror}", hint=hint) from None


def content(path: str) -> tuple[bytes, float]:
    """What a regular file holds, and when it was written. Raises OSError.

    Opening a FIFO does not block; it is refused like a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(None, f"want a regular file of at most {LARGEST >> 20} MiB")
        return file.read(), status.st_mtime


def in_version(kept: Any, version: str, what: str) -> dict[str, Any]:
    """A result document in the shape of *version*. Raises CNIError.

    One that has this version already is passed on as it is, unknown keys included.
    """
    version = version or UNNAMED
    parsed = result.parse(kept, version, what)
    if parsed["cniVersion"] == version:
        return {**(kept or {}), "cniVersion": version}
    return result.render(parsed, version)


def decode(data: bytes, written: float, path: str) -> Cached:
    """One cache file.

    Raises Failure when it is of another kind or names no attachment, CNIError when it is no JSON.
    """
    values = json.parse_object(data, f"the result cache {path}")
    if values.get("kind") != KIND:
        found = f"want {KIND}, found {values.get('kind')!r}"
        raise Failure(f"the result cache {path} is of the wrong kind: {found}")
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
    started = values.get(STARTED)
    return Cached(
        str(network), request, config, outcome, path, written, started if isinstance(started, int) else 0
    )


def process_start(path: str) -> int:
    """When the process began through which *path* leads to a namespace; 0 where it leads through none.

    Its pid may be another process's when the namespace is to be entered again.
    """
    process = PROCESS.fullmatch(path)
    return start_time(int(process[1])) or 0 if process else 0


def namespace_path(values: Mapping[str, Any], outcome: Mapping[str, Any]) -> str:
    """The namespace's path, "" where the file does not tell.

    libcni writes the key netns since its version 1.2. Files of Podman and of older releases lack it;
    there the path is the sandbox of the result's interfaces.
    """
    inside = answers.interfaces(outcome)
    inside.sort(key=lambda item: item["name"] != values.get("ifName"))
    sandboxes = [item["sandbox"] for item in inside if item["sandbox"].startswith("/")]
    paths = [answers.text(values.get("netns")), *sandboxes]
    return next((path for path in paths if path and "\0" not in path), "")
