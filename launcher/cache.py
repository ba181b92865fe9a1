"""The result cache: one file per attachment, in the format and under the names that libcni uses.

It is what DEL, CHECK and GC know of an earlier ADD, also of one that another runtime did. Directory 0700, files 0600.
"""

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import document, result
from core.errors import CNIError
from launcher.failures import PRIVILEGE, Failure

KIND = "cniCacheV1"


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
    """One file of the cache: the request, the configuration list (bytes) and the result (document) of an ADD."""

    network: str
    request: Request
    config: bytes
    result: Mapping[str, Any]
    path: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """(container ID, ifname): how GC names it."""
        return self.request.container_id, self.request.ifname


class Cache:
    """The files of `<directory>/results`."""

    def __init__(self, directory: str) -> None:
        self.results = os.path.join(directory, "results")

    def path(self, network: str, request: Request) -> str:
        """Where an attachment is kept. Raises Failure without network, container ID or ifname."""
        if not (network and request.container_id and request.ifname):
            found = f"found {network!r}, {request.container_id!r} and {request.ifname!r}"
            raise Failure(f"a cached attachment needs network, container ID and interface name; {found}")
        return os.path.join(self.results, f"{network}-{request.container_id}-{request.ifname}")

    def write(self, network: str, request: Request, config: bytes, outcome: Mapping[str, Any]) -> None:
        """Keep a successful ADD; the file is complete or absent, even after a power cut. Raises Failure."""
        path = self.path(network, request)
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
        text = document.render({key: value for key, value in values.items() if value or key == "config"})
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
            with open(path, "rb") as file:
                return decode(file.read(), path)
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
            with open(path, "rb") as file:
                values = document.parse_object(file.read(), f"the result cache {path}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"cannot read the result cache {path}: {error.strerror}") from None
        kept = values.get("result") if values.get("kind") == KIND else values
        if not kept:
            raise Failure(f"the result cache {path} holds no result")
        return in_version(kept, version, f"the cached result {path}")

    def attachments(self, container_id: str = "") -> list[Cached]:
        """Every readable attachment in the cache, sorted by file name; of one container if *container_id* is given. Raises Failure."""
        try:
            names = sorted(name for name in os.listdir(self.results) if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Failure(f"cannot read the result cache {self.results}: {error.strerror}", hint=PRIVILEGE) from None
        found = []
        for name in names:
            try:
                with open(os.path.join(self.results, name), "rb") as file:
                    found.append(decode(file.read(), file.name))
            except (OSError, CNIError):
                continue  # not ours to judge: libcni passes over such files too
        return [cached for cached in found if container_id in ("", cached.request.container_id)]


def in_version(kept: Any, version: str, what: str) -> dict[str, Any]:
    """A result document in the shape of *version*; one that has it already is passed on as it is, unknown keys included.

    Raises CNIError.
    """
    version = version or "0.1.0"
    parsed = result.parse(kept, version, what)
    if parsed["cniVersion"] == version:
        return {**(kept or {}), "cniVersion": version}
    return result.render(parsed, version)


def decode(data: bytes, path: str) -> Cached:
    """One cache file. Raises Failure when it is of another kind, CNIError when it is no JSON."""
    values = document.parse_object(data, f"the result cache {path}")
    if values.get("kind") != KIND:
        raise Failure(f"the result cache {path} is of the wrong kind: want {KIND}, found {values.get('kind')!r}")
    try:
        args = tuple((str(key), str(value)) for key, value in values.get("cniArgs") or [])
        config = base64.b64decode(values.get("config") or "", validate=True)
        capability_args = dict(values.get("capabilityArgs") or {})
        request = Request(values["containerId"], values["ifName"], values.get("netns") or "", args, capability_args)
        outcome = dict(values.get("result") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"the result cache {path} is damaged: {error!r}") from None
    if not (values.get("networkName") and request.container_id and request.ifname):
        raise Failure(f"the result cache {path} is damaged: it names no network, container or interface")
    return Cached(values["networkName"], request, config, outcome, path)
