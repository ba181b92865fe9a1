"""An IPAM plugin `other` that is not ours, as a shell script.

It is called by a plugin that does nothing but delegate to it.
"""

import os
from pathlib import Path
from typing import Any

from core.cni import delegate
from tests.harness.stub_plugin import Stub, answer, config, environ

RESULT = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/16"}]}'
NOTES = 'echo "$CNI_COMMAND" >> "$NOTES"'


def install(folder: Path, script: str) -> Path:
    """Write a shell script as the IPAM plugin `other`; what it echoes is its answer."""
    path = folder / "other"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def call(
    folder: Path, command: str = "ADD", plugin: Any = "other", version: str = "1.1.0", **more: str
) -> tuple[int, Any]:
    """Call a plugin that does nothing but delegate, with *folder* as CNI_PATH."""
    stub = Stub(lambda request: delegate.call(request, request.command))
    stdin = config(cniVersion=version, ipam={"type": plugin})
    path = os.environ["PATH"]
    return answer(
        stub, environ(command, CNI_PATH=str(folder), PATH=path, NOTES=str(folder / "notes"), **more), stdin
    )


def commands(folder: Path) -> list[str]:
    """The commands that the plugin noted, in order."""
    notes = folder / "notes"
    return notes.read_text().split() if notes.exists() else []
