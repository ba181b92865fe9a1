"""A configuration list of two fake plugins, `first` and `last`, and what they answer."""

import json
from pathlib import Path
from typing import Any

from launcher.conflist import Network, parse_list
from launcher.request import Request
from launcher.runtime import Runtime

REQUEST = Request("c1", "eth0", "/run/netns/c1", (("A", "1"), ("B", "2")))
FIRST = {"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.2/24"}], "extra": {"kept": True}}
LAST = {"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.9/24"}]}
REFUSED = {"json": {"cniVersion": "1.1.0", "code": 107, "msg": "no room", "details": "disk full"}, "exit": 1}


def network(version: str = "1.1.0", **keys: Any) -> Network:
    document = {
        "name": "net",
        "cniVersion": version,
        "plugins": [{"type": "first", "key": 1}, {"type": "last"}],
        **keys,
    }
    return parse_list(json.dumps(document).encode())


def results(runtime: Runtime) -> list[str]:
    return [Path(cached.path).name for cached in runtime.cache.attachments()]


def spoil(runtime: Runtime, content: str) -> Path:
    path = Path(runtime.cache.path("net", REQUEST))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path
