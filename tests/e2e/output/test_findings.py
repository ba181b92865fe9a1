"""Findings are results on stdout, whoever reads it."""

import json
import re
import shutil

import pytest

from tests.e2e.output.shown import split
from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge


def test_findings_are_on_stdout(cniwire: Cniwire) -> None:
    """Of check, status and gc: they are what was asked for, so a pipe gets them, failures included."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    code, stdout, stderr = split(cniwire, "check")
    assert (code, stdout.startswith(f"✔ {web}/eth0 on demo is as it was made"), stderr) == (0, True, "")
    cniwire.network("broken", {"type": "nobody"})
    code, stdout, stderr = split(cniwire, "status")
    assert (code, stderr) == (4, "")
    assert "✘ broken: plugin 'nobody' not found" in stdout
    assert "→ name its directory with --plugin-dir or CNI_PATH" in stdout
    assert "✔ demo is ready" in stdout
    cniwire.host.run(f"ip netns delete {web}")
    code, stdout, stderr = split(cniwire, "gc", "--dry-run", "demo")
    assert (code, f"would remove {web}/eth0 from demo" in stdout, stderr) == (0, True, "")
    code, stdout, stderr = split(cniwire, "gc", "demo")
    assert (code, "✔ demo holds 0 live attachments and nothing else" in stdout, stderr) == (0, True, "")
    code, stdout, stderr = split(cniwire, "check", "nobody")
    assert (code, stdout, "nothing is attached to 'nobody'" in stderr) == (1, "", True)


def test_check_tells_each_cause_on_a_line_of_its_own(cniwire: Cniwire) -> None:
    """In a person's words, the cause first; the records are for --verbose."""
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, "-p", "8080:80")
    cniwire("up", "demo", db)
    cniwire.host.run(f"ip netns exec {web} ip link delete eth0")
    cniwire.host.run(f"ip netns exec {db} ip address flush dev eth0")
    code, stdout, stderr = split(cniwire, "check")
    assert (code, stderr) == (1, "")
    assert re.sub(r"\d+ more", "8 more", stdout).splitlines() == [
        f"✘ {db}/eth0 on demo is not as it was made",
        "  eth0 has no address 10.9.0.3/24",
        "  eth0 has no address fd00:9::3/64",
        "  eth0 has no default route via 10.9.0.1",
        f"✘ {web}/eth0 on demo is not as it was made",
        "  eth0 is gone",
        "  8 more follow from that; --verbose shows all",
    ]
    _, stdout, _ = split(cniwire, "check", web, "--verbose")
    assert "  eth0 is gone: want Link(host, veth" in stdout
    assert (
        "    eth0 has no address 10.9.0.2/24: want Address(eth0, cidr 10.9.0.2/24), found nothing" in stdout
    )
    cniwire.host.run("nft delete element inet cniwire hostports4 '{ tcp . 8080 }'")
    cniwire("down", web, db)


def test_check_tells_that_a_port_is_not_published_any_more(cniwire: Cniwire) -> None:
    """8080/tcp, once for both families."""
    web = cniwire.name("web")
    cniwire("up", "demo", web, "-p", "8080:80")
    for family in "46":
        cniwire.host.run(f"nft delete element inet cniwire hostports{family} '{{ tcp . 8080 }}'")
    assert split(cniwire, "check")[1].splitlines()[1:] == ["  8080/tcp is not published any more"]
    cniwire("down", web)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "</dev/null >/dev/full"])
def test_commands_do_their_work_where_nobody_listens(cniwire: Cniwire, closed: str) -> None:
    """No stdout, no stderr, a full disk behind it: no traceback, and the work is done."""
    web = cniwire.name("web")
    command = " ".join([*cniwire.start, *cniwire.options])
    cniwire.host.run(f"sh -c '{command} up demo {web} {closed}'")
    assert cniwire.cached == [f"demo-{web}-eth0"]
    with cniwire.popen("ls") as process:
        assert process.wait(60) == 0
    said = cniwire.host.run(f"sh -c '{command} ls {closed}' 2>&1 || true")
    assert "Traceback" not in said
    cniwire("down", web)
    assert json.dumps(cniwire.cached) == "[]"


@pytest.mark.parametrize("arguments", [("ls",), ("ls", "demo")])
def test_a_network_without_a_file_is_drawn_as_it_was_attached(
    cniwire: Cniwire, arguments: tuple[str, ...]
) -> None:
    """The one that is built in, and one from a file that stands elsewhere."""
    web = cniwire.name("web")
    (cniwire.conf / "demo.conflist").unlink()
    cniwire("up", "demo", web)
    assert "demo  bridge → portmap  built in" in cniwire(*arguments)
    cniwire("down", web)
    cniwire.network("other", bridge(cniwire.host.data, "10.8.0.0/24")).rename(
        cniwire.host.folder / "other.conflist"
    )
    cniwire("up", str(cniwire.host.folder / "other.conflist"), web)
    assert "other  bridge  from elsewhere" in cniwire("ls")
    cniwire("down", web)
    shutil.rmtree("/var/lib/cni/networks/demo")


READ = [
    "ls",
    "check",
    "network",
    "network show demo",
    "--json ls",
    "--help",
    "help run",
    "completion bash",
    "--version",
]


@pytest.mark.parametrize("command", READ)
def test_a_reader_that_goes_away_is_no_fault_of_ours(cniwire: Cniwire, command: str) -> None:
    """`cniwire ls | head -1`, and a reader that never reads at all: silence."""
    line = " ".join([*cniwire.start, *cniwire.options, command])
    assert cniwire.host.run(f"bash -c '{line} | true' 2>&1") == ""
    assert "full" not in cniwire.host.run(f"bash -c '{line} 2>/dev/null | head -1'")
    said = cniwire.host.run(f"bash -c '{line} >/dev/full' 2>&1 || true")
    assert ("Traceback" in said, "Exception" in said, "No space left on device" in said) == (
        False,
        False,
        True,
    )
