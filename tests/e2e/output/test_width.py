"""Pipes and terminals of any width: nothing is cut, and colours are for terminals."""

import pytest

from tests.e2e.output.shown import LONG, POD, PORTS, TWIN, attach, split
from tests.harness.cniwire import Cniwire


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
    *[{key: value} for key in ("COLUMNS", "LINES") for value in ("²", "9" * 5000, "0", "-5", "1", "x")],
]


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
