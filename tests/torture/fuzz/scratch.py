"""What every input of `make fuzz` begins with, a directory and a fake world, and what judges an answer."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from core.cni.protocol import respond
from core.plan.records import HOST
from core.record import HEALED, SETTING, SHARED
from plugins import bandwidth, bridge, firewall, portmap, tuning
from tests.harness.fake_kernel.world import World
from tests.harness.requests import BIN, SIBLINGS

HIDDEN = ("lock", ".index")
UNFORESEEN = 999
Answer = tuple[int, bytes]


class Broken(AssertionError):
    """An answer that breaks a law."""


class Bench:
    """A scratch directory, and a fake world in which c0 is attached, to begin every input with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "networks"
        self.data.mkdir(parents=True)
        os.chdir(folder)
        sys._cniwire_executable = str(BIN / "bridge")  # type: ignore[attr-defined]
        for module in (tuning.__name__, f"{tuning.__name__}.options"):  # where no dataDir is configured
            vars(sys.modules[module])["FOLDER"] = f"{self.data}/tuning"
        self.config = {"name": "net", "cniVersion": "1.1.0", **self.chain("10.1.0.0/24")}
        mappings = {"portMappings": [{"hostPort": 80, "containerPort": 80}]}
        self.ports = {"name": "net", "cniVersion": "1.1.0", "type": "portmap", "runtimeConfig": mappings}
        rates = {"ingressRate": 8000, "ingressBurst": 80000, "egressRate": 8000, "egressBurst": 80000}
        self.limits = {"name": "net", "cniVersion": "1.1.0", "type": "bandwidth", **rates}
        self.admitted = {
            "name": "net",
            "cniVersion": "1.1.0",
            "type": "firewall",
            "ingressPolicy": "isolated",
        }
        loopback = {"name": "net", "cniVersion": "1.1.0", "type": "loopback"}
        self.requests = (self.config, self.ports, self.limits, self.admitted, loopback)
        self.world = World()
        self.result = self.good(bridge, self.config)
        self.good(portmap, {**self.ports, "prevResult": self.result})
        self.good(bandwidth, {**self.limits, "prevResult": self.result})
        self.good(firewall, {**self.admitted, "prevResult": self.result})
        self.base = (self.world.records, self.world.links, self.world.pairs)
        self.files = self.read_files()
        self.payloads: dict[tuple[int, int], list[bytes]] = {}

    def chain(self, subnet: str) -> dict[str, Any]:
        ipam = {"type": "host-local", "dataDir": "networks", "ranges": [[{"subnet": subnet}]]}
        wishes = dict.fromkeys(("isGateway", "ipMasq", "macspoofchk"), True)
        return {"type": "bridge", "bridge": "br0", **wishes, "ipam": ipam}

    def good(self, plugin: Any, config: dict[str, Any]) -> Any:
        variables = {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": "c0",
            "CNI_NETNS": "/netns/c0",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(BIN),
        }
        stdin = json.dumps(config).encode()
        code, output = respond(plugin, variables, lambda: stdin, SIBLINGS, self.world.kernel)
        assert code == 0, output
        return json.loads(output)

    def read_files(self) -> dict[str, bytes]:
        """Every file of host-local with its content, but for the lock and the index."""
        found = {}
        for folder in os.listdir(self.data):
            for name in os.listdir(self.data / folder):
                if name not in HIDDEN:
                    path = f"{self.data}/{folder}/{name}"
                    with open(path, "rb") as file:
                        found[path] = file.read()
        return found

    def reset(self) -> None:
        """The world and the files as in the beginning."""
        self.world.records, self.world.links, self.world.pairs = (dict(part) for part in self.base)
        found = self.read_files()
        if found != self.files:
            for path in found.keys() - self.files.keys():
                os.unlink(path)
            for other in set(os.listdir(self.data)) - {"net"}:
                shutil.rmtree(self.data / other)
            for path, content in self.files.items():
                if found.get(path) != content:
                    Path(path).write_bytes(content)

    def state(self) -> object:
        """All that an attachment owns."""
        files = {name: content for name, content in self.read_files().items() if "last_reserved" not in name}
        owned = {key: record for key, record in self.world.records.items() if not is_shared(record)}
        return owned, self.owned_links(), files

    def owned_links(self) -> list[tuple[str, str]]:
        return sorted(where for where, link in self.world.links.items() if link.alias or where[0] != HOST)


def is_shared(record: Any) -> bool:
    """Whether a record may stay after a failed ADD, as others may use it by now."""
    in_host = getattr(record, "place", HOST) == HOST or "/lo/" in getattr(record, "key", "")
    return record.lifecycle in (SHARED, HEALED) or (record.lifecycle == SETTING and in_host)


def judge(command: str, answer: Answer, allowed: tuple[str, ...] = ()) -> Any:
    """Hold an answer to the protocol; the document, None if there is none. Raises Broken.

    allowed: what the message of code 999 may begin with.
    """
    code, output = answer
    document: Any
    try:
        document = json.loads(output) if output else None
    except ValueError as error:
        raise Broken(f"no JSON document: {error}: {output[:200]!r}") from None
    if code not in (0, 1) or not output.isascii():
        raise Broken(f"exit code {code}, output {output[:200]!r}")
    if code:
        if not is_error(document):
            raise Broken(f"no error object: {output[:200]!r}")
        if document["code"] == UNFORESEEN and not document["msg"].startswith(allowed):
            raise Broken(f"unforeseen: {document['msg']}")
    elif document is not None and (command not in ("ADD", "VERSION") or is_error(document)):
        raise Broken(f"success with {output[:200]!r}")
    return document


def is_error(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and type(document.get("code")) is int
        and document["code"] > 0
        and isinstance(document.get("msg"), str)
    )
