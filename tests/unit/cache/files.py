"""A request and the cache file of its ADD."""

import json
from pathlib import Path
from typing import Any

from launcher.request import Request

CONFIG = b'{"name":"net","plugins":[{"type":"bridge"}]}'
RESULT = {
    "cniVersion": "1.0.0",
    "ips": [{"address": "10.0.0.2/24", "interface": 0}],
    "interfaces": [{"name": "eth0", "sandbox": "/n"}],
    "x": 1,
}
REQUEST = Request(
    "c1",
    "eth0",
    "/run/netns/c1",
    (("K8S_POD", "p"),),
    {"portMappings": [{"hostPort": 80, "containerPort": 80}]},
)


def put(tmp_path: Path, content: Any) -> None:
    """Write the cache file of REQUEST: bytes as they are, anything else as JSON."""
    (tmp_path / "results").mkdir(exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / "results" / "net-c1-eth0").write_bytes(data)
