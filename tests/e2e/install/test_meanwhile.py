"""Installations under running calls, interrupted, and at the same time."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launcher.installation.versions import PLUGINS
from tests.e2e.install.node import ROOT, Node, calling, changed, version
from tests.harness.configs import bridge
from tests.harness.host import Host


def test_calls_made_while_suites_are_installed_succeed(
    bundle: Path, node: Node, host: Host, tmp_path: Path
) -> None:
    """VERSION of each plugin, and ADD and DEL of a container, all the while.

    Older versions go, the one before stays.
    """
    node.install(bundle)
    others = [changed(bundle, tmp_path / name) for name in ("one", "two")]
    container = host.container()
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(host.data, "10.1.0.0/24")}

    def attach() -> None:
        for verb in ("ADD", "DEL"):
            answer = host.call(verb, config, container, folder=node.bindir)
            assert answer.exit_code == 0, answer

    with calling(attach, *(lambda name=name: version(node.bindir / name) for name in PLUGINS)) as failures:
        for _ in range(3):
            for each in (*others, bundle):
                node.install(each)
    assert failures == [""] * (1 + len(PLUGINS))
    assert len(node.versions()) == 2


def test_a_version_from_which_something_runs_stays(bundle: Path, node: Node, tmp_path: Path) -> None:
    """Until it has ended; also when the suite is uninstalled, which says so."""
    node.install(bundle)
    (first,) = node.versions()
    reader, writer = os.pipe()
    environ = {"CNI_COMMAND": "GC", "CNI_PATH": str(node.bindir)}
    command = [node.bindir / "portmap"]  # waits for its configuration
    process = subprocess.Popen(command, env=environ, stdin=reader, stdout=subprocess.DEVNULL)
    try:
        for name in ("one", "two", "three"):
            node.install(changed(bundle, tmp_path / name))
        assert first in node.versions()
        assert len(node.versions()) == 3
        assert f"{first} in {node.lib} still runs" in node.uninstall(succeeds=False)
        assert list(node.bindir.iterdir()) == []
    finally:
        os.close(writer)
        os.close(reader)
        process.wait(timeout=10)
    node.uninstall()
    assert list(node.folder.iterdir()) == []


def test_an_installation_killed_at_any_moment_leaves_a_suite_that_answers(
    bundle: Path, node: Node, tmp_path: Path
) -> None:
    """The old one or the new one; and the next installation clears up."""
    node.install(bundle)
    other = changed(bundle, tmp_path / "other")
    command = [
        sys.executable,
        "-m",
        "bundle.install",
        str(other),
        "--prefix",
        str(node.prefix),
        "--bindir",
        str(node.bindir),
    ]
    for step in range(12):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        time.sleep(0.08 * step)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}
    node.install(other)
    assert not (node.lib / ".new").exists()
    node.uninstall()
    assert list(node.folder.iterdir()) == []


def test_two_installations_at_once_are_one_and_a_refusal(bundle: Path, node: Node) -> None:
    node.install(bundle)
    with open(node.lib / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "somebody else is installing there" in node.install(bundle, succeeds=False)


def test_adds_and_dels_succeed_while_versions_come_and_go(bundle: Path) -> None:
    """`make torture-upgrade` in short: `cniwire upgrade` and `cniwire rollback` in turn."""
    command = [sys.executable, "-m", "tests.torture.upgrade", "--short", "--plugins", str(bundle)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("no failure")) == (0, 1), done.stdout + done.stderr
