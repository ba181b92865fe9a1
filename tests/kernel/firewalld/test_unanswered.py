"""F-5: firewalld that does not run, goes away or hangs, and a bus that answers rubbish."""

import threading
from pathlib import Path
from typing import Any

import pytest

from core import system
from core.address import parse
from core.dbus import connection
from core.errors import TRY_AGAIN_LATER, CNIError
from core.kernel import bus
from core.kernel import firewalld as home
from core.kernel.kernel import Kernel
from core.plan import difference, zones
from tests.harness.fake_bus import greeting, speaking
from tests.harness.firewalld import MISSING, Firewalld
from tests.harness.host import Host
from tests.harness.zones import (
    IP4,
    OTHER,
    OWNER,
    TEXT4,
    TEXT6,
    WITNESSED,
    add,
    admitted,
    delete,
    left,
    refused,
)

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def test_whether_it_runs_is_known(firewalld: Firewalld, host: Host, tmp_path: Path, setting: Any) -> None:
    def runs() -> bool:
        with Kernel("") as kernel:
            return kernel.runs_firewalld()

    assert runs()
    firewalld.end()
    assert not runs()
    firewalld.end("dbus-daemon")
    assert not runs()
    setting(f"unix:path={tmp_path}/none")
    assert not runs()
    setting(None)  # and the lab has no bus in /run
    assert not runs()
    with speaking(tmp_path / "bus", b"REJECTED EXTERNAL\r\n") as address:
        setting(address)
        assert not runs()


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets or unsets the address of the bus."""

    def change(address: str | None) -> None:
        if address is None:
            monkeypatch.delitem(system.environ, bus.VARIABLE, raising=False)
        else:
            monkeypatch.setitem(system.environ, bus.VARIABLE, address.encode())

    return change


def test_a_bus_that_answers_rubbish_is_an_error_that_says_so(
    firewalld: Firewalld, kernel: Kernel, host: Host, tmp_path: Path, setting: Any
) -> None:
    """ADD changes nothing, DEL keeps what it knows for the next one."""
    add(kernel, admitted())
    with speaking(tmp_path / "bus", greeting(), b"rubbish " * 9, most=9) as address, Kernel("") as other:
        setting(address)
        said = f"the bus at {tmp_path}/bus answered rubbish: want a D-Bus message, found b'rubb'"
        with pytest.raises(CNIError) as told:
            other.runs_firewalld()
        assert told.value.code == TRY_AGAIN_LATER
        assert told.value.msg == f"cannot find out whether firewalld runs: {said}"
        error = refused(other, zones.admit([parse("10.1.0.3")], "trusted", f"{OTHER} -"))
        assert error.msg == f"cannot create ZoneSource(trusted, source 10.1.0.3/32): {said}"
        assert error.code == TRY_AGAIN_LATER
        assert delete(other) == [f"cannot delete ZoneSources(net/c1/eth0): {said}"]
        assert home.inherited(other, OWNER, "trusted", [IP4.address]) == []
        setting(firewalld.address)
        assert (OTHER in left(host), firewalld.sources("trusted")) == (False, [TEXT4, TEXT6])
        assert delete(other) == []
        assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_a_source_that_may_have_been_added_is_taken_back(
    firewalld: Firewalld, kernel: Kernel, tmp_path: Path, setting: Any
) -> None:
    """Where the bus closes before it answers; over another connection."""
    heard: list[bytes] = []
    with speaking(tmp_path / "bus", greeting(), most=2, heard=heard) as address:
        setting(address)
        refused(kernel, zones.admit([IP4.address], "trusted", WITNESSED))
    assert [b"addSource" in each for each in heard] == [True, False]
    assert [b"removeSource" in each for each in heard] == [False, True]


def test_firewalld_that_goes_away_in_between_is_an_error_worth_another_try(
    firewalld: Firewalld, kernel: Kernel, host: Host
) -> None:
    assert kernel.runs_firewalld()
    firewalld.end()
    error = refused(kernel, admitted())
    assert error.code == TRY_AGAIN_LATER
    assert error.msg.startswith("firewalld does not run: org.freedesktop.DBus.Error.NameHasNoOwner")
    assert error.details == "start it, or name another backend than firewalld"
    assert left(host) == ""


@pytest.mark.parametrize("program", ["firewalld", "dbus-daemon"])
def test_del_needs_no_firewalld(program: str, firewalld: Firewalld, host: Host) -> None:
    """With it went its sources."""
    with Kernel("") as kernel:
        add(kernel, admitted())
    firewalld.end(program)
    with Kernel("") as kernel:
        with pytest.raises(CNIError, match="firewalld does not run"):
            difference.check(kernel, admitted())
        assert delete(kernel) == []
    assert left(host) == ""
    if program == "dbus-daemon":
        firewalld.end()  # it has lost its bus


def test_firewalld_that_hangs_ends_the_add_and_has_nothing_of_it_in_the_end(
    firewalld: Firewalld, kernel: Kernel, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not answered waits in its queue, and so does what undoes it."""
    monkeypatch.setattr(connection, "ANSWER_S", 0.3)
    firewalld.hold()
    try:
        error = refused(kernel, admitted())
    finally:
        firewalld.let_go_on()
    assert error.msg.endswith(f"the bus at {firewalld.socket} gave no answer within 0.3 s")
    assert error.code == TRY_AGAIN_LATER
    assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_firewalld_that_dies_while_it_is_asked_is_an_error_worth_another_try(
    firewalld: Firewalld, kernel: Kernel, host: Host
) -> None:
    """The bus says so at once; another DEL then finds that there is nothing left to do."""
    add(kernel, admitted())
    firewalld.hold()
    killer = threading.Timer(0.3, firewalld.kill)
    killer.start()
    failed = delete(kernel)
    killer.join()
    assert len(failed) == 1
    assert failed[0].startswith("cannot delete ZoneSources(net/c1/eth0): firewalld has gone away: ")
    assert delete(kernel) == []
    assert left(host) == ""
