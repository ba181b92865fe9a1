"""A verb ends in time, whatever it waits for.

SIGTERM and the end of the budget are code 11, and what was done is undone.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from core.deadline import TICK_S
from tests.harness.budget import given_up, request, settle
from tests.harness.configs import bridge, host_local
from tests.harness.host import Host
from tests.harness.running import Running, locked

ENOUGH_S = 8  # below the grace for undoing: a verb whose undoing waits for nothing must not come near it
WIRED = ("10.1.0.0/24", "fd01::/64")
VERBS = ("ADD", "CHECK", "DEL", "GC", "STATUS")


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


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "CNIWIRE_TIMEOUT", "timeoutSeconds"])
@pytest.mark.parametrize("command", VERBS)
def test_an_ipam_plugin_that_hangs_is_given_up(host: Host, command: str, how: str) -> None:
    """The plugin that hangs is killed. After ADD its DEL is called."""
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
