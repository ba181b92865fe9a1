"""A connection to buses that refuse, talk rubbish, hang, or close at any byte."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.dbus import connection
from core.dbus.connection import Bus, Refused
from tests.harness.fake_bus import FIRST, HELLO, OK, answer, failure, greeting, signal, speaking

ROOT = Path(__file__).resolve().parents[3]
YES = answer(FIRST, "b", True)
FLOOD = signal() * 400000


def asked(address: str) -> bool:
    bus = Bus(address)
    try:
        return bus.has_owner("a.b")
    finally:
        bus.close()


def test_a_bus_is_asked(tmp_path: Path) -> None:
    with speaking(tmp_path / "bus", greeting(), answer(77, "b", False), YES) as address:
        assert asked(address) is True


def test_one_call_follows_another(tmp_path: Path) -> None:
    with speaking(tmp_path / "bus", greeting(), YES, signal(), answer(FIRST + 1, "s", "trusted")) as address:
        bus = Bus(address)
        assert bus.has_owner("a.b")
        assert bus.call("a.b", "/", "a.b", "getZoneOfSource", "10.1.0.2/32") == "trusted"
        bus.close()


def test_the_first_address_that_answers_is_taken(tmp_path: Path) -> None:
    with speaking(tmp_path / "bus", greeting(), YES) as address:
        assert asked(f"tcp:host=x;unix:path={tmp_path}/none;{address}") is True


def test_what_an_error_says_is_handed_on(tmp_path: Path) -> None:
    error = failure(FIRST, "org.fedoraproject.FirewallD1.Exception", "INVALID_ZONE: nix")
    with speaking(tmp_path / "bus", greeting(), error) as address, pytest.raises(Refused) as caught:
        asked(address)
    assert (caught.value.name, caught.value.text) == (
        "org.fedoraproject.FirewallD1.Exception",
        "INVALID_ZONE: nix",
    )


def test_a_greeting_that_is_refused_is_an_error(tmp_path: Path) -> None:
    error = failure(HELLO, "org.freedesktop.DBus.Error.LimitsExceeded", "too many of you")
    with speaking(tmp_path / "bus", OK, error) as address, pytest.raises(Refused, match="too many of you"):
        asked(address)


def test_a_user_who_is_not_accepted_is_told(tmp_path: Path) -> None:
    with (
        speaking(tmp_path / "bus", b"REJECTED EXTERNAL\r\n") as address,
        pytest.raises(PermissionError) as told,
    ):
        asked(address)
    assert told.value.strerror == f"the bus at {tmp_path}/bus does not accept user {os.geteuid()}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answered rubbish: want OK, found b'HTTP/1.1 400 Bad Req'"),
        (b"x" * 2000, "answered rubbish: want a line, found b'xxxxxxxxxxxxxxxxxxxx'"),
        (OK + b"l\1\0\1" + b"\xff" * 12, "answered rubbish: want a message of at most"),
        (OK + b"rubbish " * 9, "answered rubbish: want a D-Bus message, found b'rubb'"),
        (greeting() + answer(FIRST, "s", "yes"), "answered rubbish: want one bool, found"),
        (greeting() + answer(FIRST), "answered rubbish: want one bool, found"),
        (greeting() + answer(FIRST, "as", ["yes"]), "answered rubbish: want a number or a string"),
        (b"", "closed the connection"),
    ],
)
def test_rubbish_is_an_error_that_says_what_was_found(tmp_path: Path, words: bytes, said: str) -> None:
    with speaking(tmp_path / "bus", words) as address, pytest.raises(OSError) as told:
        asked(address)
    assert str(told.value.strerror).startswith(f"the bus at {tmp_path}/bus {said}")
    assert told.value.unanswered  # type: ignore[attr-defined]


def test_a_bus_that_closes_at_any_byte_is_an_error(tmp_path: Path) -> None:
    whole = greeting() + YES
    for end in range(len(whole)):
        with speaking(tmp_path / f"bus{end}", whole[:end]) as address, pytest.raises(OSError) as told:
            asked(address)
        assert str(told.value.strerror) == f"the bus at {tmp_path}/bus{end} closed the connection"


@pytest.mark.parametrize("words", [b"", OK, greeting(), greeting() + YES[:-1]])
def test_a_bus_that_hangs_is_left(tmp_path: Path, words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUS_ANSWER_S", 0.2)
    with speaking(tmp_path / "bus", words, hangs=True) as address, pytest.raises(OSError) as told:
        asked(address)
    assert told.value.strerror == f"the bus at {tmp_path}/bus gave no answer within 0.2 s"


def test_a_bus_that_never_stops_talking_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUS_ANSWER_S", 0.2)
    began = time.monotonic()
    with (
        speaking(tmp_path / "bus", greeting(), FLOOD) as address,
        pytest.raises(OSError, match="no answer"),
    ):
        asked(address)
    assert time.monotonic() - began < 5


def test_no_bus_is_known_by_its_errno(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for address in (f"unix:path={tmp_path}/none", f"unix:path={tmp_path}/file", "", "tcp:host=x"):
        with pytest.raises(OSError) as told:
            Bus(address)
        assert told.value.errno in connection.NO_BUS


def test_the_budget_of_the_verb_ends_the_wait(tmp_path: Path) -> None:
    script = f"""
from core import deadline
from core.dbus.connection import Bus
deadline.begin(1)
try:
    Bus("unix:path={tmp_path}/bus").call("a.b", "/", "a.b", "addSource")
except deadline.Expired as error:
    print(error.code, error.msg)
"""
    with speaking(tmp_path / "bus", greeting(), hangs=True):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=20
        )
    assert (done.stdout, done.stderr) == ("11 it did not end within 1 s: given up, and undone\n", "")
