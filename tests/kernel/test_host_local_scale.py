"""host-local under load, and with many reservations: many at once, and a cost that does not grow."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core import address
from tests.harness import plugin
from tests.harness.ipam import Ipam

EXHAUSTED = 103
BUSYBOX = "/bin/busybox"
KIB_PER_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024  # busybox takes the kernel's KiB for pages


@pytest.fixture
def ipam(plugins: Path, tmp_path: Path) -> Ipam:
    return Ipam(plugins / "host-local", tmp_path, "10.7.0.0/16")


def test_two_hundred_adds_at_once(ipam: Ipam) -> None:
    """H-55: no address twice; then as many DELs."""
    names = [f"c{number}" for number in range(200)]
    running = [ipam.start("ADD", name) for name in names]
    got = [Ipam.ended("ADD", one)["ips"][0]["address"].partition("/")[0] for one in running]
    assert len(set(got)) == 200
    assert ipam.reserved() == {item: f"{name}\r\neth0" for name, item in zip(names, got)}
    for one in [ipam.start("DEL", name) for name in names]:
        Ipam.ended("DEL", one)
    assert ipam.reserved() == {}


def test_adds_and_dels_at_once(ipam: Ipam) -> None:
    """H-55: on a range that is too small for all of them the rest gets a clear refusal."""
    ipam.ipam["ranges"] = [[{"subnet": "10.7.0.0/27"}]]
    running = [ipam.start("ADD", f"c{number}") for number in range(60)]
    codes = sorted(one.wait() for one in running)
    for one in running:
        one.communicate()
    assert codes == [0] * 29 + [1] * 31
    assert len(ipam.reserved()) == len(set(ipam.reserved().values())) == 29


def populate(ipam: Ipam, count: int) -> None:
    """Reservations as the Go plugin leaves them, from 10.7.0.2 on."""
    first = int.from_bytes(address.parse("10.7.0.2"), "big")
    for number in range(count):
        ipam.put(address.text((first + number).to_bytes(4, "big")), f"other{number}\r\neth0")


def system_calls(ipam: Ipam, command: str, log: Path, exit_code: int = 0) -> int:
    """How many system calls one call made."""
    environ = {"PATH": plugin.PATH, **ipam.environ(command, "c1", "eth0")}
    strace = ["strace", "-f", "-qq", "-o", str(log), str(ipam.executable)]
    ended = subprocess.run(
        strace, env=environ, input=json.dumps(ipam.config()).encode(), capture_output=True, check=False
    )
    assert ended.returncode == exit_code, ended
    return len(log.read_text().splitlines())


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("last", ["next free", "all scanned"])
def test_the_cost_does_not_grow(ipam: Ipam, tmp_path: Path, last: str) -> None:
    """The same work with 20,000 reservations as with three."""
    counts = []
    for count in (3, 20_000):
        shutil.rmtree(ipam.folder, ignore_errors=True)
        populate(ipam, count)
        ipam.add("c0")
        calls = []
        for command in ("ADD", "DEL"):
            if last == "all scanned":
                ipam.put("last_reserved_ip.0", "10.7.0.1")
                ipam.delete("c9")
            calls.append(system_calls(ipam, command, tmp_path / "log"))
        counts.append(calls)
    assert all(large - small < 20 for small, large in zip(*counts)), counts


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_refusing_costs_what_granting_costs_however_full_it_is(ipam: Ipam, tmp_path: Path) -> None:
    """The first refused ADD looks at every file for dead holders.

    The ones after it read no more than one that succeeds, also after a DEL.
    """
    counts = []
    for count in (3, 20_000):
        shutil.rmtree(ipam.folder, ignore_errors=True)
        populate(ipam, count)
        last = address.text((int.from_bytes(address.parse("10.7.0.2"), "big") + count).to_bytes(4, "big"))
        ipam.ipam["ranges"] = [[{"subnet": "10.7.0.0/16", "rangeEnd": last}]]
        ipam.add("c0")
        assert ipam.call("ADD").output["code"] == EXHAUSTED
        refused = system_calls(ipam, "ADD", tmp_path / "log", exit_code=1)
        ipam.delete("c0")
        granted = system_calls(ipam, "ADD", tmp_path / "log")
        ipam.delete("c1")
        ipam.add("c0")
        assert ipam.call("ADD").output["code"] == EXHAUSTED
        counts.append((refused, granted, system_calls(ipam, "ADD", tmp_path / "log", exit_code=1)))
    assert all(large - small < 20 for small, large in zip(*counts)), counts
    assert all(max(refused, again) - granted < 40 for refused, granted, again in counts), counts


@pytest.mark.skipif(not Path(BUSYBOX).exists(), reason="busybox-static is not installed")
def test_memory_does_not_grow(ipam: Ipam, tmp_path: Path) -> None:
    """H-61: files are looked at one after the other, if somebody else has changed the directory."""
    ipam.version = "1.1.0"
    peaks: dict[str, list[int]] = {}
    for count in (3, 8_000):
        for command in ("STATUS", "ADD", "DEL", "GC"):
            shutil.rmtree(ipam.folder, ignore_errors=True)
            populate(ipam, count)
            peaks.setdefault(command, []).append(peak_kib(ipam, command, tmp_path / "peak"))
    assert ipam.reserved() == {}
    assert all(large - small < 1024 for small, large in peaks.values()), peaks


def peak_kib(ipam: Ipam, command: str, told: Path) -> int:
    """The memory that one call needed at most, executed by a parent that is smaller."""
    environ = {"PATH": plugin.PATH, **ipam.environ(command, "c1", "eth0")}
    weighed = [BUSYBOX, "time", "-f", "%M", "-o", str(told), str(ipam.executable)]
    config = ipam.config(**{"cni.dev/valid-attachments": []})
    subprocess.run(weighed, env=environ, input=json.dumps(config).encode(), capture_output=True, check=True)
    return int(told.read_text()) // KIB_PER_PAGE
