"""A fake host as its administrator has it: plugins, networks and their files where every runtime looks."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.lab import libc, mount
from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.state import State
from tests.runtimes.plugin_directory import MNT_DETACH, only_ours

CONF_DIR, STATE_DIR, NAMED = Path("/etc/cni/net.d"), Path("/var/lib/cni"), Path("/run/netns")
RESERVATIONS = STATE_DIR / "networks"  # host-local's own choice
# Files that are meant to stay: locks and indexes, and what containers had last.
STAYING = (".", "lock", "last_reserved_ip.")


@dataclass
class Node:
    """A fake host whose /opt/cni/bin holds our executables alone.

    /etc/cni/net.d and /var/lib/cni are empty at first, and the test's own.
    """

    host: Host
    plugins: Path  # where runtimes find them
    folder: Path  # for whatever a test wants to keep

    def network(self, name: str, *plugins: Mapping[str, Any], version: str = "1.0.0", **keys: Any) -> Path:
        """Write a configuration list and return its file."""
        CONF_DIR.mkdir(parents=True, exist_ok=True)
        path = CONF_DIR / f"{name}.conflist"
        path.write_text(json.dumps({"cniVersion": version, "name": name, "plugins": plugins, **keys}))
        return path

    def remains(self, *others: Namespace) -> State:
        """All that a container may leave behind, as lines to compare: before the container and after it.

        Links, addresses, routes, rules, sysctls and nft objects of this host and *others*, reservations,
        cached results, named network namespaces.
        """
        files = [path for path in STATE_DIR.rglob("*") if path.is_file()]
        kept = {f"file {path}" for path in files if not path.name.startswith(STAYING)}
        return self.host.state(*others) | kept | {f"namespace {name}" for name in os.listdir(NAMED)}


@contextmanager
def furnished(host: Host, executables: Path) -> Iterator[Node]:
    """Make *host* a node for the length of the block. executables: the folder of those under test."""
    fresh = [CONF_DIR.parent, STATE_DIR]
    known = set(os.listdir(NAMED))
    with only_ours(executables) as plugins:
        for path in fresh:
            mount("tmpfs", str(path), "tmpfs", data="mode=755")
        host.plugins, host.data = plugins, RESERVATIONS
        try:
            yield Node(host, plugins, host.folder)
        finally:
            for path in (*fresh, *(NAMED / name for name in {*os.listdir(NAMED)} - known)):
                libc.umount2(os.fsencode(path), MNT_DETACH)
            for name in {*os.listdir(NAMED)} - known:  # of a runtime that was killed
                (NAMED / name).unlink()


def bridged(bridge: str, subnet: str, **keys: Any) -> list[dict[str, Any]]:
    """The usual network: a bridge with a gateway, masquerading and addresses of *subnet*; published ports.

    keys: further ones of the bridge.
    """
    ipam = {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
    main = {"type": "bridge", "bridge": bridge, "isGateway": True, "ipMasq": True, "hairpinMode": True}
    return [{**main, **keys, "ipam": ipam}, {"type": "portmap", "capabilities": {"portMappings": True}}]
