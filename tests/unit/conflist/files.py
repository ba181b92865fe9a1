"""Configuration files."""

import json
from pathlib import Path
from typing import Any

PLUGIN = {"type": "bridge", "bridge": "br0"}


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def listed(**keys: Any) -> bytes:
    return json.dumps({"name": "net", "cniVersion": "1.0.0", "plugins": [PLUGIN], **keys}).encode()
