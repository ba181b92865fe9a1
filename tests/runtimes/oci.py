"""runc and crun as they are, each with bundles made from its own `spec` command."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.runtimes import images
from tests.runtimes.daemon import inside
from tests.runtimes.hooks import Command
from tests.runtimes.node import Node

UNWANTED = ("/dev/mqueue", "/sys/fs/cgroup")  # mounts of the default configuration that a lab may refuse

QUIET: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


class Runtime:
    """An OCI runtime whose files are the test's own."""

    def __init__(self, name: str, node: Node, command: Command, control: Path):
        """control: the control group in which it and its containers run."""
        self.name, self.node, self.command = name, node, command
        self.words = [*inside(control), name, f"--root={node.folder}/state"]
        self.root = images.root(node.folder / "root")

    def bundle(
        self,
        container_id: str,
        *words: str,
        annotations: Mapping[str, str] | None = None,
        netns: str | None = "",
        **keys: Any,
    ) -> Path:
        """Make a bundle: what `spec` writes, with the keys of conf/runtimes/config.json.

        annotations: in place of the example's. netns: the path of a network namespace, None for the host's.
        """
        folder = self.node.folder / container_id
        folder.mkdir()
        subprocess.run([self.name, "spec"], cwd=folder, check=True)
        config = json.loads((folder / "config.json").read_text())
        config |= json.loads(self.command.example("config.json", folder / "example").read_text())
        config["root"] = {"path": str(self.root), "readonly": True}
        config["process"] |= {"terminal": False, "args": list(words or ("sleep", "60"))}
        config["process"]["env"] = ["PATH=/bin"]
        for granted in config["process"]["capabilities"].values():
            granted.append("CAP_NET_RAW")
        config["mounts"] = [it for it in config["mounts"] if it["destination"] not in UNWANTED]
        others = [it for it in config["linux"]["namespaces"] if it["type"] != "network"]
        network = {"type": "network", **({"path": netns} if netns else {})}
        config["linux"]["namespaces"] = others + ([network] if netns is not None else [])
        config["linux"].pop("resources")  # what limits devices needs CAP_SYS_RESOURCE
        if annotations is not None:
            config["annotations"] = dict(annotations)
        (folder / "config.json").write_text(json.dumps(config | keys))
        return folder

    def start(self, *arguments: str, **settings: Any) -> "subprocess.Popen[str]":
        """Start the runtime with a command of its own."""
        return subprocess.Popen([*self.words, *arguments], text=True, **{**QUIET, **settings})

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run it to its end and return what it printed. Raises AssertionError."""
        code, said = finished([*self.words, *arguments])
        assert bool(code) == bool(status), f"{self.name} {' '.join(arguments)}: exit {code}\n{said}"
        return said

    def run(self, container_id: str, *words: str, **settings: Any) -> None:
        """Start a container that stays."""
        self("run", "--detach", f"--bundle={self.bundle(container_id, *words, **settings)}", container_id)

    def exec(self, container_id: str, *words: str) -> str:
        """Run a command in a container."""
        return self("exec", container_id, *words)

    def remove(self, *container_ids: str) -> None:
        """Kill containers and delete them."""
        for container_id in container_ids:
            self("delete", "--force", container_id)

    def pid(self, container_id: str) -> int:
        """The first process of a container."""
        return int(json.loads(self("state", container_id))["pid"])


def finished(words: Sequence[str | Path], timeout_s: float = 60) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it printed.

    A container that goes on running keeps stdout open, so it is a file, which has an end at once.
    Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        settings: Any = {**QUIET, "stdout": out, "stderr": out}
        code = subprocess.run(words, timeout=timeout_s, **settings).returncode
        out.seek(0)
        return code, out.read().strip()
