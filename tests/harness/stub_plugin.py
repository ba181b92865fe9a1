"""A plugin without a job: it notes its requests, so that tests can look at the protocol alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.cni.protocol import Request, respond
from core.cni.version import ALL

COMMANDS = ("ADD", "CHECK", "DEL", "GC", "STATUS")
NO_NETNS = "/no/such/netns"
ENVIRON = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": NO_NETNS,
    "CNI_IFNAME": "eth0",
    "CNI_ARGS": "K=V",
    "CNI_PATH": "/opt/cni/bin",
}
CONFIG = {"cniVersion": "1.1.0", "name": "n1", "type": "stub"}


class Stub:
    """A plugin whose handlers note the request and return or raise what *act* does."""

    NAME = "stub"

    def __init__(
        self,
        act: Callable[[Request], Any] = lambda request: None,
        versions: Sequence[str] = ALL,
        commands: Sequence[str] = COMMANDS,
    ) -> None:
        self.VERSIONS = tuple(versions)
        self.COMMANDS: Mapping[str, Callable[[Request], Any]] = {
            name: self._handler(name, act) for name in commands
        }
        self.calls: list[tuple[str, Request]] = []

    def _handler(self, name: str, act: Callable[[Request], Any]) -> Callable[[Request], Any]:
        def handler(request: Request) -> Any:
            self.calls.append((name, request))
            return act(request)

        return handler


def environ(command: str = "ADD", **changes: str | None) -> dict[str, str]:
    """A complete environment for *command*; a variable changed to None is missing."""
    wanted: dict[str, str | None] = {**ENVIRON, "CNI_COMMAND": command, **changes}
    return {key: value for key, value in wanted.items() if value is not None}


def config(**changes: Any) -> bytes:
    """CONFIG as bytes, with some keys changed."""
    return json.dumps({**CONFIG, **changes}).encode()


def answer(stub: Stub, environment: Mapping[str, str], stdin: bytes = config()) -> tuple[int, Any]:
    """(exit code, decoded stdout or None) of one call."""
    code, stdout = respond(stub, environment, lambda: stdin)
    return code, json.loads(stdout) if stdout else None


def error(stub: Stub, environment: Mapping[str, str], stdin: bytes = config()) -> dict[str, Any]:
    """The error object of a call that has to fail without a handler having run."""
    code, document = answer(stub, environment, stdin)
    assert code == 1
    assert stub.calls == []
    assert isinstance(document, dict)
    return document
