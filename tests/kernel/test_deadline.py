"""A verb ends in time, whatever it waits for.

SIGTERM and the end of the budget are code 11, and what was done is undone.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.deadline import TICK_S
from tests.harness.configs import PORTMAP, bridge, host_local, mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import Answer
from tests.harness.running import Running, locked

TRY_AGAIN_LATER = 11
ENOUGH_S = 8  # below the grace for undoing: a verb whose undoing waits for nothing must not come near it
WIRED = ("10.1.0.0/24", "fd01::/64")
VERBS = ("ADD", "CHECK", "DEL", "GC", "STATUS")


def given_up(answer: Answer) -> None:
    """Assert that a plugin said "try again later", and nothing else."""
    assert answer.exit_code == 1, answer
    assert isinstance(answer.output, dict), answer
    assert answer.output["code"] == TRY_AGAIN_LATER, answer


def hanging(host: Host, *commands: str) -> dict[str, Any]:
    """Return a bridge whose IPAM plugin hangs at *commands*.

    When it does, it writes its process ID into the file `hangs`.
    """
    folder = host.ipam(
        f"""case "$CNI_COMMAND" in {"|".join(commands)})
    echo $$ >{host.folder}/pid; mv {host.folder}/pid {host.folder}/hangs; exec sleep 60;; esac
[ "$CNI_COMMAND" != ADD ] || echo '{{"cniVersion": "1.1.0", "ips": [{{"address": "10.5.0.2/24"}}]}}'"""
    )
    config = {
        "name": "net",
        "cniVersion": "1.1.0",
        **bridge(isGateway=True, ipMasq=True),
        "ipam": {"type": "fake"},
    }
    return {"config": config, "CNI_PATH": str(folder), "calls": folder / "calls"}


def request(network: Network, container: Container, command: str) -> dict[str, Any]:
    """What the first plugin of a chain gets for *command*."""
    config = network.derived(
        network.plugins[0],
        network.results.get((container.name, "eth0")) if command in ("CHECK", "DEL") else None,
    )
    return {**config, "cni.dev/valid-attachments": []} if command == "GC" else config


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "CNIWIRE_TIMEOUT", "timeoutSeconds"])
@pytest.mark.parametrize("command", VERBS)
def test_an_ipam_plugin_that_hangs_is_given_up(host: Host, command: str, how: str) -> None:
    """And killed: it is not there any more. After ADD its DEL was called."""
    fake, container = hanging(host, command), host.container()
    config, path = fake["config"], {"CNI_PATH": fake["CNI_PATH"]}
    if command not in ("ADD", "STATUS"):
        added = host.call("ADD", config, container, **path)
        assert added.exit_code == 0, added
        config = {**config, "prevResult": added.output}
    config |= (
        {"cni.dev/valid-attachments": [{"containerID": container.name, "ifname": "eth0"}]}
        if command == "GC"
        else {}
    )
    config |= {"timeoutSeconds": 1} if how == "timeoutSeconds" else {}
    before = host.state(container)
    running = Running(
        host, command, config, container, {**path, **({how: "1"} if how.startswith("CNI") else {})}
    )
    running.until(host.folder / "hangs")
    hanging_one = Path("/proc", (host.folder / "hangs").read_text().strip())
    assert hanging_one.exists()
    if how.startswith("SIG"):
        running.signal(getattr(signal, how))
    given_up(running.answer())
    assert running.seconds < ENOUGH_S
    assert not hanging_one.exists()
    if command == "ADD":
        assert fake["calls"].read_text().split() == ["ADD", "DEL"]
    if command != "DEL":
        assert host.state(container) == before
    (host.folder / "ipam" / "fake").write_text("#!/bin/sh\n")
    assert host.call("DEL", config, container, **path).exit_code == 0


@pytest.mark.parametrize("how", ["SIGTERM", "CNIWIRE_TIMEOUT", "timeoutSeconds"])
@pytest.mark.parametrize("command", ["ADD", "DEL", "GC"])
@pytest.mark.parametrize("kind", ["bridge", "host-local"])
def test_a_lock_that_somebody_holds_is_given_up(host: Host, kind: str, command: str, how: str) -> None:
    """CHECK and STATUS need no lock. What was there stays, and a second call cures it."""
    container = host.container()
    first = (
        bridge(host.data, *WIRED, ipMasq=True)
        if kind == "bridge"
        else {"type": kind, "ipam": host_local(host.data, *WIRED)}
    )
    network = host.network({**first, **({"timeoutSeconds": 1} if how == "timeoutSeconds" else {})})
    if command != "ADD":
        network.add(container)
    before = host.state(container)
    with locked(host.data / "net"):
        running = Running(
            host,
            command,
            request(network, container, command),
            container,
            {how: "1"} if how.startswith("CNI") else {},
        )
        if how == "SIGTERM":
            running.until_blocked("lock").signal(signal.SIGTERM)
        given_up(running.answer())
    if command == "ADD":
        assert host.state(container) == before
        network.add(container)
    network.delete(container)
    assert not [line for line in host.state(container) if "net/c1" in line or "'c1" in line]


def test_an_add_that_waits_for_the_lock_ends_long_before_the_grace_for_undoing_does(host: Host) -> None:
    """There is nothing to release: the lock was never had."""
    container = host.container()
    network = host.network(bridge(host.data, *WIRED))
    with locked(host.data / "net"):
        running = (
            Running(host, "ADD", request(network, container, "ADD"), container)
            .until_blocked("lock")
            .signal(signal.SIGTERM)
        )
        given_up(running.answer())
    assert running.seconds < ENOUGH_S


@pytest.mark.parametrize("how", ["SIGTERM", "CNIWIRE_TIMEOUT"])
@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize("kind", ["bridge", "host-local", "portmap"])
def test_a_configuration_without_an_end_is_given_up(host: Host, kind: str, command: str, how: str) -> None:
    """A runtime that keeps standard input open."""
    container = host.container()
    before = host.state(container)
    config = {"name": "net", "cniVersion": "1.1.0", **bridge(host.data, *WIRED), "type": kind}
    running = Running(
        host, command, config, container, {how: "1"} if how.startswith("CNI") else {}, open_stdin=True
    )
    if how == "SIGTERM":
        running.until_blocked("pipe").signal(signal.SIGTERM)
    given_up(running.answer())
    assert running.seconds < ENOUGH_S
    assert host.state(container) == before


def test_a_resolv_conf_that_nobody_writes_is_given_up(host: Host) -> None:
    """resolvConf is a pipe without a writer."""
    os.mkfifo(host.folder / "pipe")
    container = host.container()
    network = host.network(
        bridge(ipam=host_local(host.data, "10.1.0.0/24", resolvConf=str(host.folder / "pipe")))
    )
    before = host.state(container)
    running = Running(host, "ADD", request(network, container, "ADD"), container, {"CNIWIRE_TIMEOUT": "1"})
    given_up(running.answer())
    assert running.seconds < ENOUGH_S
    assert host.state(container) == before


def test_a_lock_that_comes_free_in_time_is_had(host: Host) -> None:
    container = host.container()
    network = host.network(bridge(host.data, *WIRED))
    with locked(host.data / "net"):
        running = Running(
            host, "ADD", request(network, container, "ADD"), container, {"CNIWIRE_TIMEOUT": "20"}
        ).until_blocked("lock")
    assert running.answer().exit_code == 0
    network.delete(container)


@pytest.mark.parametrize("seconds", ["0", "-1", "1.5", "never", "", "9" * 30])
def test_a_budget_that_is_none_changes_nothing(host: Host, seconds: str) -> None:
    network, container = host.network(bridge(host.data, *WIRED)), host.container()
    assert (
        host.call("ADD", request(network, container, "ADD"), container, CNIWIRE_TIMEOUT=seconds).exit_code
        == 0
    )


def test_a_second_sigterm_does_not_interrupt_the_undoing(host: Host) -> None:
    """An impatient runtime sends another one: what the first one began is finished."""
    container = host.container()
    network = host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True))
    network.add(host.container("c0"))
    before = host.state(container)
    for turn in range(15):
        running = Running(host, "ADD", request(network, container, "ADD"), container)
        time.sleep(0.05 + 0.004 * turn)
        for _ in range(20):
            running.signal(signal.SIGTERM)
            time.sleep(0.0005)
        settle(host, network, container, running.answer(), before)


def test_nor_does_it_interrupt_the_ipam_plugin_s_part_of_the_undoing(host: Host) -> None:
    folder, container = host.folder, host.container()
    path = host.ipam(
        f"""case "$CNI_COMMAND" in
ADD) touch {folder}/hangs; exec sleep 60;;
DEL) touch {folder}/undoing; until [ -e {folder}/continue ]; do sleep 0.01; done; touch {folder}/undone;;
esac"""
    )
    config = {"name": "net", "cniVersion": "1.1.0", **bridge(ipMasq=True), "ipam": {"type": "fake"}}
    before = host.state(container)
    running = Running(host, "ADD", config, container, {"CNI_PATH": str(path)})
    running.until(folder / "hangs").signal(signal.SIGTERM)
    running.until(folder / "undoing").signal(signal.SIGTERM)
    time.sleep(2 * TICK_S)  # the moments at which a waiting plugin looks whether it was told to stop
    (folder / "continue").touch()
    given_up(running.answer())
    assert (folder / "undone").exists()
    assert host.state(container) == before


@pytest.fixture
def moments() -> Iterator[float]:
    """Endless random moments of a plugin's life in seconds, the same in every run."""
    source = random.Random(6)
    return iter(source.random, 2)


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


@pytest.mark.parametrize("keys", [{"ipMasq": True}, {"macspoofchk": True, "enabledad": True}])
def test_sigterm_at_any_moment_of_add_leaves_all_or_nothing(
    host: Host, moments: Iterator[float], keys: dict[str, Any]
) -> None:
    """The exit code tells which."""
    network, container = host.network(bridge(host.data, *WIRED, **keys)), host.container()
    network.add(host.container("c0"))
    before = host.state(container)
    began = time.monotonic()
    host.call("STATUS", request(network, container, "STATUS"))
    reach = 1.8 * (time.monotonic() - began)
    ends = []
    for _ in range(25):
        running = Running(host, "ADD", request(network, container, "ADD"), container)
        time.sleep(reach * (0.15 + 0.85 * next(moments)))
        running.signal(signal.SIGTERM)
        ends.append(settle(host, network, container, running.answer(), before))
        # A busy machine may have been slower, or faster, when the time was first measured.
        reach *= 0.8 if ends[-1] == "made" else 1.1
    assert "undone" in ends or "killed" in ends


def test_sigterm_at_any_moment_of_portmap_s_add_leaves_all_or_nothing(
    host: Host, moments: Iterator[float]
) -> None:
    network = host.network(bridge(host.data, *WIRED), PORTMAP)
    container, other = host.container(), host.container("c0")
    network.add(other, portMappings=[mapping(9000)])
    result = host.network(network.plugins[0]).add(container)
    before = host.state(container)
    config = network.derived(
        PORTMAP, result, {"portMappings": [mapping(8000 + number) for number in range(50)]}
    )
    for _ in range(20):
        running = Running(host, "ADD", config, container)
        time.sleep(0.02 + 0.08 * next(moments))
        answer = running.signal(signal.SIGTERM).answer()
        if answer.exit_code == 0:
            assert host.call("DEL", config, container).exit_code == 0
        elif answer.exit_code > 0:
            given_up(answer)
        assert host.state(container) == before, answer


def test_sigterm_at_any_moment_of_del_is_cured_by_another_del(host: Host, moments: Iterator[float]) -> None:
    network, container = (
        host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True)),
        host.container(),
    )
    network.add(host.container("c0"))
    before = host.state(container)
    for _ in range(15):
        network.add(container)
        running = Running(host, "DEL", request(network, container, "DEL"), container)
        time.sleep(0.02 + 0.1 * next(moments))
        answer = running.signal(signal.SIGTERM).answer()
        if answer.exit_code > 0:
            given_up(answer)
        network.delete(container)
        assert host.state(container) == before
