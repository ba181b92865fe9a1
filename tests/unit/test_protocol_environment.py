"""The CNI_* variables: which a command needs, what they may hold, and in which order they are told."""

from typing import Any

import pytest

from core.cni.protocol import respond
from tests.harness.stub_plugin import COMMANDS, NO_NETNS, Stub, answer, config, environ, error

ATTACHING = ("ADD", "CHECK", "DEL")


def missing(*names: str) -> dict[str, Any]:
    return {"cniVersion": "1.1.0", "code": 4, "msg": f"required env variables [{','.join(names)}] missing"}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_hands_everything_to_its_own_handler_only(command: str) -> None:
    """S-1, S-16, S-23, S-31, S-32."""
    stub, stdin = Stub(), b' {"cniVersion": "1.1.0", "name": "n1", "unknown": [1.0, null]} \n'
    variables = environ(command, FURTHER="kept")
    code, stdout = respond(stub, variables, lambda: stdin)
    assert (code, stdout) == (0, b"")
    [(called, request)] = stub.calls
    assert called == request.command == command
    assert (request.attachment.network, request.attachment.container_id) == ("n1", "c1")
    assert (request.attachment.ifname, request.attachment.netns) == ("eth0", NO_NETNS)
    assert (request.args, request.stdin, request.version) == ("K=V", stdin, "1.1.0")
    assert request.environ["CNI_PATH"] == "/opt/cni/bin"
    assert request.environ["FURTHER"] == "kept"


@pytest.mark.parametrize("command", ATTACHING)
@pytest.mark.parametrize(
    "value", ["1234%%%", "a b", "a/b", "é", "-a", "_a", ".a", "..", "a\n", "a\0", "/", "ａ", "a\udcff"]
)
def test_a_malformed_container_id_is_refused(command: str, value: str) -> None:
    """S-2, S-3, S-4: code 4, and the details are the ID."""
    shown = value.replace("\udcff", "\ufffd")
    assert error(Stub(), environ(command, CNI_CONTAINERID=value)) == {
        "cniVersion": "1.1.0",
        "code": 4,
        "msg": "invalid characters in CNI_CONTAINERID",
        "details": shown,
    }


@pytest.mark.parametrize("value", ["a", "7", "A.b-c_d", "0--", "x" * 200])
def test_a_well_formed_container_id_is_accepted(value: str) -> None:
    """S-3."""
    assert answer(Stub(), environ(CNI_CONTAINERID=value)) == (0, None)


@pytest.mark.parametrize("command", ATTACHING)
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("x" * 16, "longer than 15 bytes"),
        ("é" * 8, "longer than 15 bytes"),
        (".", "it is a directory"),
        ("..", "it is a directory"),
        ("a/b", "it contains /, : or white space"),
        ("eth0:1", "it contains /, : or white space"),
        *[
            (f"a{space}b", "it contains /, : or white space")
            for space in " \t\n\v\f\r\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"
        ],
        ("eth0\n", "it contains /, : or white space"),
        ("a\0b", "it contains /, : or white space"),
        ("a\udcff", "it is not UTF-8"),
    ],
)
def test_a_malformed_ifname_is_refused(command: str, value: str, complaint: str) -> None:
    """S-5, S-6, S-7, S-8, S-9, S-10; not UTF-8 is refused because no result could name the interface."""
    found = error(Stub(), environ(command, CNI_IFNAME=value))
    assert (found["code"], found["msg"]) == (4, f"invalid CNI_IFNAME {value!r}: {complaint}")


@pytest.mark.parametrize("value", ["x" * 15, "é" * 7, "e", "...", "-", "eth0.100", "a\u200bb", "\u00fc"])
def test_a_well_formed_ifname_is_accepted(value: str) -> None:
    """S-5."""
    assert answer(Stub(), environ(CNI_IFNAME=value)) == (0, None)


@pytest.mark.parametrize("command", ATTACHING)
@pytest.mark.parametrize("absent", [None, ""])
def test_an_empty_ifname_counts_as_missing(command: str, absent: str | None) -> None:
    """S-11."""
    assert error(Stub(), environ(command, CNI_IFNAME=absent)) == missing("CNI_IFNAME")


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
@pytest.mark.parametrize("name", ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"])
@pytest.mark.parametrize("absent", [None, ""])
def test_add_and_check_need_their_four_variables(command: str, name: str, absent: str | None) -> None:
    """S-12, S-17."""
    assert error(Stub(), environ(command, **{name: absent})) == missing(name)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("absent", [None, ""])
def test_no_command_needs_cni_args(command: str, absent: str | None) -> None:
    """S-12, S-17, S-33."""
    stub = Stub()
    assert answer(stub, environ(command, CNI_ARGS=absent)) == (0, None)
    assert stub.calls[0][1].args == ""


def test_missing_variables_are_told_together_in_the_order_of_the_table() -> None:
    """S-13."""
    everything = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH")
    assert error(Stub(), {"CNI_COMMAND": "ADD"}) == missing(*everything)
    assert error(Stub(), {"CNI_COMMAND": "CHECK"}) == missing(*everything)
    assert error(Stub(), environ("ADD", CNI_PATH=None, CNI_CONTAINERID=None)) == missing(
        "CNI_CONTAINERID", "CNI_PATH"
    )


def test_a_malformed_variable_is_told_before_the_missing_ones() -> None:
    """S-2, S-5, S-13: it returns at once, in the order of the table."""
    found = error(Stub(), environ(CNI_CONTAINERID=None, CNI_IFNAME="a/b", CNI_PATH=None))
    assert found["msg"].startswith("invalid CNI_IFNAME")
    found = error(Stub(), environ(CNI_CONTAINERID="a b", CNI_IFNAME="a/b", CNI_PATH=None))
    assert found["msg"] == "invalid characters in CNI_CONTAINERID"


@pytest.mark.parametrize("name", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"])
def test_del_needs_id_ifname_and_path(name: str) -> None:
    """S-33."""
    assert error(Stub(), environ("DEL", **{name: None})) == missing(name)


@pytest.mark.parametrize("absent", [None, ""])
def test_del_without_a_netns_reaches_the_handler(absent: str | None) -> None:
    """S-33, S-34."""
    stub = Stub()
    assert answer(stub, environ("DEL", CNI_NETNS=absent)) == (0, None)
    assert stub.calls[0][1].attachment.netns == ""


@pytest.mark.parametrize("command", ["GC", "STATUS"])
def test_gc_and_status_need_only_command_and_path(command: str) -> None:
    """S-24, S-31."""
    assert answer(Stub(), {"CNI_COMMAND": command, "CNI_PATH": "/x"}) == (0, None)


@pytest.mark.parametrize("command", ["GC", "STATUS"])
def test_gc_and_status_need_the_path(command: str) -> None:
    """S-25, S-31."""
    assert error(Stub(), environ(command, CNI_PATH=None)) == missing("CNI_PATH")


@pytest.mark.parametrize("absent", [None, ""])
def test_without_a_command_nothing_else_is_required(absent: str | None) -> None:
    """S-25, S-40."""
    variables = environ(CNI_PATH=None, CNI_CONTAINERID="%%%")
    assert error(Stub(), {**variables, "CNI_COMMAND": ""} if absent == "" else {}) == missing("CNI_COMMAND")


@pytest.mark.parametrize("command", ["GC", "STATUS", "VERSION"])
def test_variables_that_a_command_does_not_use_are_not_validated(command: str) -> None:
    """S-24, S-31, S-36."""
    variables = environ(command, CNI_CONTAINERID="a b/%", CNI_IFNAME="x" * 40, CNI_NETNS="\0")
    assert answer(Stub(), variables)[0] == 0


@pytest.mark.parametrize("command", ["add", "Add", "REMOVE", "ADD ", "VERSION\n", "\udcff", "0"])
def test_an_unknown_command_is_refused(command: str) -> None:
    """S-38: code 4, no handler, and it needs no variable."""
    shown = command.replace("\udcff", "\ufffd")
    document = {"cniVersion": "1.1.0", "code": 4, "msg": f"unknown CNI_COMMAND: {shown}"}
    assert error(Stub(), {"CNI_COMMAND": command}) == document
    assert error(Stub(), environ(command)) == document


def test_an_unknown_command_is_noticed_after_the_configuration_was_read() -> None:
    """S-21, S-38, S-42: the order of the reference's entry point."""
    assert error(Stub(), {"CNI_COMMAND": "add"}, b"rubbish")["code"] == 6
    assert error(Stub(), {"CNI_COMMAND": "add"}, config(name=""))["code"] == 7
    assert error(Stub(), {"CNI_COMMAND": "add"}, config(cniVersion=1))["code"] == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_handler_succeeds(command: str) -> None:
    """S-23, S-31."""
    assert answer(Stub(commands=()), environ(command)) == (0, None)
