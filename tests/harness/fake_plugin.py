"""Plugins that do nothing but remember how they were called and answer as a test told them to."""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = """\
#!{python} -IS
import json, os, sys, time
command = os.environ["CNI_COMMAND"]
stdin = sys.stdin.buffer.read()
spec = json.load(open(__file__ + ".json"))
answer = spec.get(command, spec.get("*", {{}}))
record = {{"plugin": os.path.basename(__file__), "command": command, "stdin": stdin.decode()}}
record["environ"] = {{key: value for key, value in os.environ.items() if key.startswith("CNI_")}}
with open(os.path.join(os.path.dirname(__file__), "calls"), "a") as file:
    file.write(json.dumps(record) + "\\n")
time.sleep(answer.get("sleep", 0))
sys.stderr.write(answer.get("stderr", ""))
sys.stdout.write(answer.get("stdout", json.dumps(answer["json"]) if "json" in answer else ""))
sys.stdout.flush()
if "signal" in answer:
    os.kill(os.getpid(), answer["signal"])
sys.exit(answer.get("exit", 0))
"""
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


class Call(NamedTuple):
    """One call of a fake plugin: name, command, the configuration on stdin, and the CNI_ variables."""

    plugin: str
    command: str
    config: Any
    environ: dict[str, str]


class FakePlugins:
    """A folder of fake plugins and the list of their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def make(self, name: str, **answers: dict[str, Any]) -> Path:
        """Make the plugin *name*, which answers by command.

        An answer has `json` or `stdout`, `stderr`, `exit`, `signal`, `sleep` (seconds).

        Unless told otherwise ADD prints an empty 1.0.0 result and VERSION all versions.
        """
        spec = {
            "ADD": {"json": {"cniVersion": "1.0.0"}},
            "VERSION": {"json": {"cniVersion": "1.1.0", "supportedVersions": VERSIONS}},
            **answers,
        }
        path = self.folder / name
        path.write_text(SCRIPT.format(python=sys.executable))
        path.with_name(f"{name}.json").write_text(json.dumps(spec))
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in order, but VERSION, which a runtime may ask for at any time."""
        return [call for call in self.every_call if call.command != "VERSION"]

    @property
    def every_call(self) -> list[Call]:
        """Every call so far, in order."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [
            Call(
                item["plugin"],
                item["command"],
                json.loads(item["stdin"]) if item["stdin"] else None,
                item["environ"],
            )
            for item in map(json.loads, lines)
        ]

    @property
    def order(self) -> list[str]:
        """`COMMAND plugin` of every call so far."""
        return [f"{call.command} {call.plugin}" for call in self.calls]

    def forget(self) -> None:
        """Start a new list of calls."""
        (self.folder / "calls").unlink(missing_ok=True)
