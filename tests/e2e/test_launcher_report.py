"""`cniwire report`: whatever is broken, one file that tells the rest and no secret."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.report import PARTS
from tests.harness import without_nft
from tests.harness.cniwire import Cniwire
from tests.harness.configs import PORTMAP, bridge
from tests.harness.host import Host

SECRET = "do-not-tell"


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    """The launcher with a network `demo`."""
    made = Cniwire(host, host.plugins)
    made.network("demo", bridge(host.data, "10.9.0.0/24", ipMasq=True), PORTMAP, version="1.1.0")
    yield made
    made.close()


def sections(text: str) -> dict[str, str]:
    """The report's sections by title."""
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in text.split("\n## ")[1:]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody's home folder, in which nothing of the tests is: a report tells it as such."""
    monkeypatch.setenv("HOME", f"{tmp_path}/home")
    return f"{tmp_path}/home"


def test_a_wired_container_is_told_from_all_sides(cniwire: Cniwire, tmp_path: Path) -> None:
    """In a file that only its owner may read, and that is never overwritten."""
    web, path = cniwire.name("web"), tmp_path / "report.txt"
    cniwire("up", "demo", web, "-p", "8080:80", "--arg", f"API_TOKEN={SECRET}", "--arg", "IgnoreUnknown=1")
    before = cniwire.host.state()
    said = cniwire.json("report", str(path))
    assert cniwire.host.state() == before, "it changes nothing"
    assert (said["file"], said.get("missing"), said["hidden"] >= 1) == (str(path), None, True)
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = sections(text)
    assert [*told] == [*PARTS, "Before you send it"]
    assert f"ok  demo {web}/eth0" in told["cniwire check"]
    for title, words in {
        "Versions": f"Linux {os.uname().release}",
        "Plugins": f"{cniwire.options[-1]}/host-local: CNI 0.1.0",
        "Configurations": '"ipMasq": true',
        "Cached results": '"hostPort": 8080',
        "Reservations": f"10.9.0.2                 {web} eth0",
        "cniwire ls": '"state": "up"',
        "cniwire status": '"ready": true',
        "cniwire gc --dry-run": '"stale": []',
        "Packet filter": f'tcp . 8080 comment "demo/{web}/eth0" : 10.9.0.2 . 80',
        "Links and addresses": f"alias demo/{web}/eth0",
        "Routes": "10.9.0.0/24 dev br0",
        "Settings": "net/ipv4/conf/br0/forwarding                 1",
    }.items():
        assert words in told[title], f"{title}: {told[title]}"
    assert SECRET not in text
    assert "API_TOKEN" in text, "there was one"
    assert "File exists" in cniwire("report", str(path), status=1)
    assert path.read_text() == text
    cniwire("down", web)


def test_what_tells_the_machine_is_hidden(cniwire: Cniwire) -> None:
    """Its name and its public addresses; those of containers, and private ones, are needed."""
    cniwire.host.outside("9.9.9.1/24", "2a02:db8::1/64")
    name = os.uname().nodename
    cniwire.network("other", {"type": "nobody", "where": f"{name} 9.9.9.1", "at": "8.8.4.4"})
    told = sections(cniwire("report", "-"))
    text = "".join(told.values())
    assert '"where": "<host name> <public address of uplink>"' in told["Configurations"]
    assert [each for each in ("9.9.9.1", "9.9.9.0", "2a02:db8::1", f" {name} ") if each in text] == []
    assert "public addresses: 8.8.4.4" in told["Before you send it"], "no rule knows whose that is"


def test_what_is_broken_is_told_and_stops_nothing(cniwire: Cniwire) -> None:
    """Configurations, caches, reservations, a plugin that fails, a terminal's control characters."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    (cniwire.conf / "10-broken.conflist").write_text(f'{{"name": "x\x1b[2J", "token": "{SECRET}", ')
    (cniwire.conf / "20-lost.conflist").symlink_to("nowhere")
    os.mkfifo(cniwire.conf / "30-pipe.conf")
    cniwire.network("none", {"type": "nobody", "password": SECRET})
    (cniwire.cache / "results" / "demo-damaged-eth0").write_bytes(b"\xff{")
    (cniwire.host.data / "demo" / "10.9.0.200").mkdir()
    said = cniwire.json("report", "-")
    told = sections(said["report"])
    assert [*told] == [*PARTS, "Before you send it"]
    assert "; it says:\n" in told["Configurations"]
    assert '"name": "x\\x1b[2J", "token": "<hidden>"' in told["Configurations"]
    assert "20-lost.conflist: No such file or directory)" in told["Configurations"]
    assert "(missing: want a regular file)" in told["Configurations"]
    assert "demo-damaged-eth0  (missing: " in told["Cached results"]
    assert f"ok  demo {web}/eth0" in told["cniwire check"]
    assert "plugin 'nobody' not found" in told["cniwire status"]
    assert "nobody  (missing: plugin 'nobody' not found)" in told["Plugins"]
    assert SECRET not in said["report"]
    assert len(said["missing"]) == 4
    cniwire.host.run(f"ip netns exec {web} ip address flush dev eth0")
    assert f"failed  demo {web}/eth0" in cniwire("report", "-")


def test_an_opening_in_a_table_of_others_is_told(cniwire: Cniwire) -> None:
    cniwire.host.run("nft 'add table inet theirs'")
    cniwire.host.run("nft 'add chain inet theirs onward {type filter hook forward priority 0; policy drop;}'")
    cniwire.host.run("nft 'add rule inet theirs onward ip saddr 192.0.2.0/24 accept comment \"somebody\"'")
    plugins = json.loads((cniwire.conf / "demo.conflist").read_text())["plugins"]
    cniwire.network("demo", *plugins, {"type": "firewall"}, version="1.1.0")
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    told = sections(cniwire("report", "-"))["Packet filter"]
    assert "inet theirs onward: filter hook forward priority 0 policy drop" in told
    assert "inet theirs onward: cniwire: containers that firewall admits" in told
    assert "somebody" not in told, "rules of others are theirs"


def test_without_nftables_the_rest_is_told(cniwire: Cniwire) -> None:
    line = [sys.executable, without_nft.__file__, *cniwire.start, *cniwire.options, "--json", "report", "-"]
    done = subprocess.run(line, capture_output=True, text=True, env=cniwire.environ())
    assert done.returncode == 0, done.stderr
    told = sections(json.loads(done.stdout)["report"])
    assert "hooks  (missing: Protocol not supported)" in told["Packet filter"]
    assert "nftables cannot be used" in told["cniwire status"]
    assert "lo  " in told["Links and addresses"]


def test_a_file_that_cannot_be_written_is_told_and_does_not_stay(cniwire: Cniwire, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    line = f"mount -t tmpfs -o size=4k none {full} && {' '.join([*cniwire.start, *cniwire.options])}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{line} report {full}/x; echo $?; ls {full}"],
        capture_output=True,
        text=True,
        env=cniwire.environ(),
    )
    assert f"cannot write the report to {full}/x: No space left on device" in done.stderr
    assert done.stdout == "1\n"
    assert "No such file or directory" in cniwire("report", "/no/such/x", status=1)


def test_a_user_without_rights_gets_what_can_be_told(cniwire: Cniwire) -> None:
    (cniwire.cache / "results").mkdir(parents=True)
    (cniwire.cache / "results").chmod(0)
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    line = [*bare, *cniwire.start, *cniwire.options, "report", "-"]
    done = subprocess.run(line, capture_output=True, text=True, env=cniwire.environ())
    assert done.returncode == 0, done.stderr
    told = sections(done.stdout)
    assert "capabilities 0000000000000000" in told["Where it runs"]
    assert f"(missing: cannot read the result cache {cniwire.cache}/results: Permission" in told["cniwire ls"]
    assert "hooks  (missing: Operation not permitted)" in told["Packet filter"]
    assert '"ipMasq": true' in told["Configurations"]
    assert "missing: Packet filter: hooks: Operation not permitted" in done.stderr


def test_help_and_completion_know_it(cniwire: Cniwire) -> None:
    assert "cniwire report [OPTION ...] [FILE]" in cniwire("help", "report")
    assert "report" in cniwire("completion", "bash")
