"""What a person and a pipe see of `cniwire`: nothing is cut, long names are short, findings are results."""

import json
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host

LONG = "3f2a1b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708"
TWIN = "3f2a1b4c5d6eff8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708"  # as Docker would show it, the same
POD = ("--arg", "K8S_POD_NAMESPACE=default", "--arg", "K8S_POD_NAME=web-0", "--arg", "IgnoreUnknown=1")
PORTS = [
    option
    for first in (8000, 8100, 8200)
    for option in ("-p", f"192.0.2.1:{first}-{first + 9}:{first}-{first + 9}/udp")
]


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    made.network(
        "demo", bridge(host.data, "10.9.0.0/24", "fd00:9::/64", ipMasq=True), portmap, version="1.1.0"
    )
    yield made
    made.close()


def split(cniwire: Cniwire, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in a pipe."""
    with cniwire.popen(*arguments, env=cniwire.environ() | settings) as process:
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def attach(cniwire: Cniwire, container_id: str, *options: str) -> str:
    """A named namespace, wired under another container ID, as a runtime does; its name."""
    name = cniwire.name(container_id[:14])
    cniwire.host.run(f"ip netns add {name}")
    cniwire("attach", "demo", name, "--id", container_id, *options)
    return name


@pytest.mark.parametrize("columns", ["20", "80"])
def test_output_to_a_pipe_is_neither_cut_nor_wrapped(cniwire: Cniwire, columns: str) -> None:
    """Whatever the terminal's width is said to be; and no line ends with blanks."""
    name = cniwire.name("a-name-that-somebody-likes-long-and-descriptive")
    cniwire("up", "demo", name, *PORTS)
    _, stdout, _ = split(cniwire, "ls", COLUMNS=columns)
    lines = stdout.splitlines()
    assert lines[1].split() == [
        name,
        "eth0",
        "demo",
        "10.9.0.2/24",
        "192.0.2.1:8000-8009→8000-8009/udp",
        "up",
    ]
    assert [line.split() for line in lines[2:4]] == [
        ["fd00:9::2/64", "192.0.2.1:8100-8109→8100-8109/udp"],
        ["192.0.2.1:8200-8209→8200-8209/udp"],
    ]
    (drawn,) = [line for line in lines if "── " + name in line]
    assert [
        address in drawn for address in ("10.9.0.2/24", "fd00:9::2/64", "192.0.2.1:8200-8209→8200-8209/udp")
    ] == [True] * 3
    assert [line for line in lines if line != line.rstrip()] == []
    cniwire("down", name)


@pytest.mark.parametrize("columns", [20, 40, 80, 200, 0])
def test_a_terminal_shows_everything_within_its_width(cniwire: Cniwire, columns: int) -> None:
    """20 columns, and a terminal that does not tell.

    Words are broken only where they are longer than the line.
    """
    name = cniwire.name("web")
    made = cniwire.at_terminal(columns, "up", "demo", name, *PORTS)
    seen = cniwire.at_terminal(columns, "ls")
    checked = cniwire.at_terminal(columns, "check")
    failed = cniwire.at_terminal(columns, "down", "nobody")
    assert [screen.code for screen in (made, seen, checked, failed)] == [0, 0, 0, 1]
    assert max(screen.width for screen in (made, seen, checked, failed)) <= (columns or 80)
    for word in (name, "10.9.0.2/24", "fd00:9::2/64", "192.0.2.1:8200-8209→8200-8209/udp"):
        assert word in made.running
        assert word in seen.running
    assert f"{name}/eth0ondemoisasitwasmade" in checked.running
    assert "nonamespaceandnoattachmentiscalled'nobody'" in failed.running
    cniwire("down", name)


def test_colours_are_for_terminals(cniwire: Cniwire) -> None:
    assert "\x1b[3" in cniwire.at_terminal(80, "status").stdout
    assert "\x1b[3" not in cniwire.at_terminal(80, "status", NO_COLOR="1").stdout
    assert "\x1b" not in split(cniwire, "status")[1]


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
    assert "  eth0 is gone: want Veth(" in stdout
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


def test_long_ids_are_shown_as_short_as_they_may_be(cniwire: Cniwire) -> None:
    """Whole with --wide and with --json."""
    attach(cniwire, LONG)
    assert [line.split()[0] for line in cniwire("ls").splitlines()[1:2]] == [LONG[:12]]
    attach(cniwire, TWIN)
    attach(cniwire, "0123456789abcdef")  # not long: somebody may have chosen it
    shown = cniwire("ls")
    assert {line.split()[0] for line in shown.splitlines() if " eth0 " in line} == {
        LONG[:13],
        TWIN[:13],
        "0123456789abcdef",
    }
    assert LONG not in shown
    wide = cniwire("ls", "--wide")
    assert {line.split()[0] for line in wide.splitlines() if " eth0 " in line} == {
        LONG,
        TWIN,
        "0123456789abcdef",
    }
    assert {item["containerID"] for item in cniwire.json("ls")["networks"][0]["attachments"]} == {
        LONG,
        TWIN,
        "0123456789abcdef",
    }
    assert LONG not in cniwire("check")
    assert f"{LONG}/eth0 on demo" in cniwire("--wide", "check")


def test_the_beginning_of_a_long_id_is_enough(cniwire: Cniwire) -> None:
    """Wherever a container is named; an ambiguous one is refused, and a chosen name has no beginning."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    attach(cniwire, LONG)
    attach(cniwire, TWIN)
    assert f"✔ {LONG[:13]}/eth0 on demo" in cniwire("check", LONG[:13])
    assert "10.9.0.3/24" in cniwire("exec", LONG[:14], "ip", "address", "show", "dev", "eth0")
    failure = cniwire("check", LONG[:6], status=2)
    assert "2 containers have an ID that begins with 3f2a1b" in failure
    assert [LONG[:13] in failure, TWIN[:13] in failure] == [True, True]
    assert f"nothing is attached to '{web[:-1]}'" in cniwire("check", web[:-1], status=1)
    assert "no namespace and no attachment" in cniwire("down", web[:-1], status=1)
    assert "nothing is attached to '3f2'" in cniwire("check", "3f2", status=1)
    cniwire("detach", "demo", LONG[:13])
    cniwire("detach", "all", "nothing", "--id", TWIN[:4])
    assert cniwire.cached == [f"demo-{web}-eth0"]
    cniwire("down", web)


def test_pods_are_shown_where_there_are_any(cniwire: Cniwire) -> None:
    """From CNI_ARGS in the cache; a name that Kubernetes would not allow is none."""
    attach(cniwire, LONG, *POD)
    attach(
        cniwire,
        TWIN,
        "--arg",
        "K8S_POD_NAMESPACE=x",
        "--arg",
        "K8S_POD_NAME=Evil[red]\x1b[2J",
        "--arg",
        "IgnoreUnknown=1",
    )
    header, first, *_ = cniwire("ls").splitlines()
    assert header.split() == ["CONTAINER", "POD", "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"]
    assert first.split()[:3] == [LONG[:13], "default/web-0", "eth0"]
    assert f"{LONG[:13]}/eth0  (default/web-0)  10.9.0.2/24" in cniwire("ls")
    assert f"✔ {LONG[:13]}/eth0 (default/web-0) on demo is as it was made" in cniwire("check")
    assert {item.get("pod", "") for item in cniwire.json("ls")["networks"][0]["attachments"]} == {
        "default/web-0",
        "",
    }
    assert "Evil" not in cniwire("ls") + cniwire("check")


def test_a_taken_port_is_written_as_it_was_typed(cniwire: Cniwire) -> None:
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, "-p", "8080:80")
    assert f"host port 8080/tcp is already taken by demo/{web}/eth0" in cniwire(
        "up", "demo", db, "-p", "8080:80", status=1
    )
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


def test_a_table_that_just_fits_breaks_no_word(cniwire: Cniwire) -> None:
    """Its columns stand closer then; a state of several words may take several lines."""
    attach(cniwire, LONG, *POD)
    name = attach(cniwire, TWIN, "-p", "8080:80")
    cniwire.host.run(f"ip netns exec {name} ip link delete eth0")
    seen = cniwire.at_terminal(80, "ls")
    assert seen.lines[0].split() == [
        "CONTAINER",
        "POD",
        "IFNAME",
        "NETWORK",
        "ADDRESSES",
        "PUBLISHED",
        "STATE",
    ]
    assert [
        word in " ".join(seen.lines[:6]).split() for word in ("default/web-0", "10.9.0.2/24", "8080→80/tcp")
    ] == [True] * 3
    assert cniwire.at_terminal(60, "ls").lines[0].split()[0] == "demo", "the drawing alone"
    narrow = cniwire.at_terminal(60, "ps").lines
    assert narrow[:5] == [
        LONG[:13],
        "  pod default/web-0",
        "  ifname eth0",
        "  network demo",
        "  addresses 10.9.0.2/24  fd00:9::2/64",
    ]


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


def test_the_progress_line_is_gone_in_the_end(cniwire: Cniwire) -> None:
    """And while it stands it fits: long IDs are short in it."""
    name = attach(cniwire, LONG)
    assert f"{LONG[:12]}/eth0" in cniwire("check", name), "it is a namespace, and attached under another name"
    seen = cniwire.at_terminal(60, "check", LONG[:12]).stderr
    assert f"CHECK bridge {LONG[:12]}/eth0" in seen
    assert LONG not in seen
    assert seen.rstrip().endswith("\x1b[2K")


ODD = [
    {"TERM": "dumb"},
    {"TERM": ""},
    {"TERM": "nosuch"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
ODD += [{key: value} for key in ("COLUMNS", "LINES") for value in ("²", "9" * 5000, "0", "-5", "1", "x")]


@pytest.mark.parametrize("environ", ODD, ids=lambda environ: str(environ)[:30])
@pytest.mark.parametrize("command", [("ls",), ("down", "nobody")])
def test_odd_terminals_and_locales_are_served(
    cniwire: Cniwire, environ: dict[str, str], command: tuple[str, ...]
) -> None:
    """No traceback and the right exit code at a dumb terminal, one of absurd size, in a locale without ✔."""
    seen = cniwire.at_terminal(80, *command, bare=False, **environ)
    assert ("Traceback" in seen.stdout + seen.stderr, seen.code) == (False, int("nobody" in command)), seen
    code, stdout, stderr = split(cniwire, *command, **environ)
    assert ("Traceback" in stdout + stderr, code) == (False, int("nobody" in command)), stderr


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
