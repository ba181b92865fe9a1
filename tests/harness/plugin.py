"""Call a plugin executable as the CNI protocol says: environment and stdin in, stdout and exit code out."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PluginError(Exception):
    """A plugin failed: the error object that it printed, and its exit code."""

    def __init__(self, command: str, answer: "Answer"):
        error = answer.output if isinstance(answer.output, dict) else {}
        self.code: int | None = error.get("code")
        self.msg = str(error.get("msg", ""))
        self.details = str(error.get("details", ""))
        self.answer = answer
        super().__init__(f"{command}: {answer}")


class Answer(NamedTuple):
    """What came back: the exit code, stdout and stderr.

    stdout is decoded from JSON: None if it is empty, the text itself if it is no JSON.
    """

    exit_code: int
    output: Any
    stderr: str


def call(executable: Path, environ: dict[str, str], stdin: bytes, timeout_s: float = 60) -> Answer:
    """Run *executable* with *environ* and nothing else but PATH. Raises subprocess.TimeoutExpired."""
    environ = {"PATH": PATH, **environ}
    done = subprocess.run([executable], env=environ, input=stdin, capture_output=True, timeout=timeout_s)
    return Answer(done.returncode, decoded(done.stdout), done.stderr.decode(errors="replace"))


def decoded(stdout: bytes) -> Any:
    """Return *stdout* as JSON value; None if there is none; the text where it is not JSON."""
    text = stdout.decode(errors="replace")
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return text
