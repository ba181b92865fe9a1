"""Verbs that are given up: the request of a call, and what must have become of it."""

import signal
from typing import Any

from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import Answer

TRY_AGAIN_LATER = 11


def given_up(answer: Answer) -> None:
    """Assert that a plugin said "try again later", and nothing else."""
    assert answer.exit_code == 1, answer
    assert isinstance(answer.output, dict), answer
    assert answer.output["code"] == TRY_AGAIN_LATER, answer


def request(network: Network, container: Container, command: str) -> dict[str, Any]:
    """What the first plugin of a chain gets for *command*."""
    config = network.derived(
        network.plugins[0],
        network.results.get((container.name, "eth0")) if command in ("CHECK", "DEL") else None,
    )
    return {**config, "cni.dev/valid-attachments": []} if command == "GC" else config


def settle(host: Host, network: Network, container: Container, answer: Answer, before: object) -> str:
    """Assert that an ADD under signals succeeded (and delete it) or left nothing; say which."""
    if answer.exit_code == 0:
        assert isinstance(answer.output, dict), answer
        assert answer.output["ips"]
        config = network.derived(network.plugins[0], answer.output)
        assert host.call("DEL", config, container).exit_code == 0
        assert host.state(container) == before
        return "made"
    assert host.state(container) == before, answer
    if answer.exit_code == -signal.SIGTERM:  # before it had begun
        return "killed"
    given_up(answer)
    return "undone"
