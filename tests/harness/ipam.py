"""Call an IPAM plugin on a folder of reservations, and look at the folder."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness import plugin
from tests.harness.configs import host_local
from tests.harness.plugin import Answer, PluginError

HIDDEN = (".index", "lock")


class Ipam:
    """Network `n1` with reservations in *data*, served by *executable*.

    keys: of the section `ipam`, besides type and dataDir; they can be changed between calls.
    variables: more of the environment.
    """

    def __init__(self, executable: Path, data: Path, *subnets: str, version: str = "1.0.0", **keys: Any):
        self.executable, self.data, self.version = executable, data, version
        self.ipam = {**host_local(data, *subnets), **keys}
        self.folder = data / "n1"
        self.variables: dict[str, str] = {}

    def by(self, executable: Path) -> "Ipam":
        """The same network, served by another executable."""
        other = Ipam(executable, self.data, version=self.version)
        other.ipam = self.ipam
        return other

    def config(self, **keys: Any) -> dict[str, Any]:
        """The network configuration with *keys*."""
        return {"cniVersion": self.version, "name": "n1", "type": "whoever", "ipam": self.ipam, **keys}

    def environ(
        self, command: str, container_id: str, ifname: str, args: str = "", netns: str = "/run/netns/none"
    ) -> dict[str, str]:
        variables = {"CNI_COMMAND": command, "CNI_PATH": str(self.executable.parent), **self.variables}
        attachment = {
            "CNI_CONTAINERID": container_id,
            "CNI_IFNAME": ifname,
            "CNI_NETNS": netns,
            "CNI_ARGS": args,
        }
        return variables if command in ("GC", "STATUS") else {**variables, **attachment}

    def call(
        self,
        command: str,
        container_id: str = "c1",
        ifname: str = "eth0",
        cni_args: str = "",
        netns: str = "/run/netns/none",
        **keys: Any,
    ) -> Answer:
        """One call, whatever comes of it; *keys* of the configuration."""
        environ = self.environ(command, container_id, ifname, cni_args, netns)
        return plugin.call(self.executable, environ, json.dumps(self.config(**keys)).encode())

    def good(self, command: str, *words: str, **keys: Any) -> Any:
        """One call that has to succeed; what it printed. Raises PluginError."""
        __tracebackhide__ = True
        answer = self.call(command, *words, **keys)
        if answer.exit_code:
            raise PluginError(command, answer)
        return answer.output

    def add(self, container_id: str = "c1", ifname: str = "eth0", **keys: Any) -> list[str]:
        """ADD; the addresses with prefix length. Raises PluginError."""
        __tracebackhide__ = True
        return [ip["address"] for ip in self.good("ADD", container_id, ifname, **keys)["ips"]]

    def delete(self, container_id: str = "c1", ifname: str = "eth0", **keys: Any) -> None:
        """DEL. Raises PluginError."""
        __tracebackhide__ = True
        self.good("DEL", container_id, ifname, **keys)

    def check(
        self, prev: Mapping[str, Any] | None, container_id: str = "c1", ifname: str = "eth0", **keys: Any
    ) -> None:
        """CHECK. Raises PluginError."""
        __tracebackhide__ = True
        self.good("CHECK", container_id, ifname, **keys, **({"prevResult": prev} if prev is not None else {}))

    def collect(self, *valid: tuple[str, str]) -> None:
        """GC. Raises PluginError."""
        __tracebackhide__ = True
        attachments = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid]
        self.good("GC", **{"cniVersion": "1.1.0", "cni.dev/valid-attachments": attachments})

    def start(self, command: str, container_id: str) -> "subprocess.Popen[bytes]":
        """Begin a call and do not wait for it."""
        environ = {"PATH": plugin.PATH, **self.environ(command, container_id, "eth0")}
        started = subprocess.Popen(
            [self.executable],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert started.stdin
        started.stdin.write(json.dumps(self.config()).encode())
        started.stdin.close()
        started.stdin = None
        return started

    @staticmethod
    def ended(command: str, started: "subprocess.Popen[bytes]") -> Any:
        """Wait for a call; what it printed. Raises PluginError."""
        out, err = started.communicate()
        answer = Answer(started.returncode, plugin.decoded(out), err.decode(errors="replace"))
        if answer.exit_code:
            raise PluginError(command, answer)
        return answer.output

    def files(self) -> dict[str, str]:
        """Name -> content of what the folder holds, besides the lock and the index."""
        if not self.folder.is_dir():
            return {}
        return {
            path.name: path.read_bytes().decode(errors="replace")
            for path in sorted(self.folder.iterdir())
            if path.name not in HIDDEN
        }

    def reserved(self) -> dict[str, str]:
        """As files, without the addresses that were given away last."""
        return {
            name: content
            for name, content in self.files().items()
            if not name.startswith("last_reserved_ip.")
        }

    def put(self, name: str, content: str | bytes = b"") -> None:
        """Make or replace a file as somebody else would."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).unlink(missing_ok=True)
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def refused(call: Any, *words: Any, **keys: Any) -> tuple[int | None, str]:
    """Code and message of a call that is refused. Raises AssertionError when it is not."""
    try:
        call(*words, **keys)
    except PluginError as error:
        return error.code, error.msg
    raise AssertionError("it was not refused")


def told(answer: Answer) -> tuple[int, str]:
    """Code and message of the one error that was printed."""
    assert (answer.exit_code, answer.stderr, type(answer.output)) == (1, "", dict), answer
    assert {"cniVersion", "code", "msg"} <= set(answer.output) <= {"cniVersion", "code", "msg", "details"}
    return answer.output["code"], answer.output["msg"]


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below *folder*, with what a change would change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in (folder, *folder.rglob("*"))
    }
