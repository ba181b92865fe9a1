"""What respond prints: results, errors of every kind, VERSION; always one JSON document or nothing."""

import json
import os
import sys
from errno import EBADF
from functools import partial
from typing import Any, NoReturn

import pytest

from core.cni.json import DEPTH
from core.cni.protocol import Request, respond
from core.cni.version import ALL
from core.errors import CNIError
from tests.harness.stub_plugin import COMMANDS, Stub, answer, config, environ

RESULT = {
    "interfaces": [{"name": "eth0"}],
    "ips": [{"address": "10.1.0.2/16", "interface": 0}],
    "routes": [],
    "dns": {},
}


def failing(error: BaseException) -> Stub:
    def act(_: Request) -> NoReturn:
        raise error

    return Stub(act)


def refuse() -> bytes:
    raise AssertionError("stdin was read")


def test_add_prints_its_result_with_four_spaces_and_no_final_newline() -> None:
    """S-55, S-63."""
    stub = Stub(lambda request: RESULT)
    assert respond(stub, environ(), config)[1].decode() == (
        "{\n"
        '    "cniVersion": "1.1.0",\n'
        '    "interfaces": [\n        {\n            "name": "eth0"\n        }\n    ],\n'
        '    "ips": [\n        {\n            "address": "10.1.0.2/16",\n'
        '            "interface": 0\n        }\n    ]\n'
        "}"
    )


@pytest.mark.parametrize("version", ALL)
def test_a_result_is_printed_in_the_configurations_version(version: str) -> None:
    """S-51, S-55, S-63."""
    code, document = answer(Stub(lambda request: RESULT), environ(), config(cniVersion=version))
    assert (code, document["cniVersion"]) == (0, version)
    assert ("ip4" in document, "ips" in document) == (version < "0.3", version >= "0.3")


@pytest.mark.parametrize("command", ["CHECK", "DEL", "GC", "STATUS"])
def test_commands_other_than_add_print_nothing(command: str) -> None:
    """S-16, S-23, S-31, S-32: whatever the handler returns."""
    assert respond(Stub(lambda request: RESULT), environ(command), config) == (0, b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_typed_error_is_printed_as_it_is(command: str) -> None:
    """S-44, S-46."""
    stub = failing(CNIError(11, "try again", "the lock is held"))
    printed = b'{\n    "cniVersion": "1.1.0",\n    "code": 11,\n'
    printed += b'    "msg": "try again",\n    "details": "the lock is held"\n}'
    assert respond(stub, environ(command), config) == (1, printed)


def test_details_are_left_out_when_empty() -> None:
    """S-47: in the document and in the text of the exception."""
    code, document = answer(failing(CNIError(107, "no")), environ(), config(cniVersion="0.4.0"))
    assert (code, document) == (1, {"cniVersion": "0.4.0", "code": 107, "msg": "no"})
    assert str(CNIError(107, "no")) == "no"
    assert str(CNIError(107, "no", "really")) == "no; really"


@pytest.mark.parametrize(
    ("error", "msg"),
    [
        (ValueError("potato"), "ValueError: potato"),
        (KeyError("a"), "KeyError: 'a'"),
        (MemoryError(), "MemoryError: "),
        (SystemExit(0), "SystemExit: 0"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (GeneratorExit(), "GeneratorExit: "),
        (RuntimeError("line\nline \udcff\0é"), "RuntimeError: line\nline \ufffd\0é"),
    ],
)
def test_any_other_exception_is_code_999_with_its_text(error: BaseException, msg: str) -> None:
    """S-45, S-46: even one that would end the process with code 0."""
    assert answer(failing(error), environ()) == (1, {"cniVersion": "1.1.0", "code": 999, "msg": msg})


@pytest.mark.parametrize(
    ("number", "code"), [(1, 100), (2, 100), (28, 100), (4, 11), (11, 11), (16, 11), (105, 11)]
)
def test_what_the_kernel_refuses_to_tell_is_no_surprise_and_may_be_worth_a_retry(
    number: int, code: int
) -> None:
    """1.8: EINTR, EAGAIN, EBUSY and ENOBUFS are code 11, every other errno is 100 and not 999."""
    error = OSError(number, "no", "/x")
    assert answer(failing(error), environ()) == (
        1,
        {"cniVersion": "1.1.0", "code": code, "msg": f"the kernel refused: {error}"},
    )


def test_endless_recursion_is_an_error() -> None:
    """S-45."""

    def act(request: Request) -> Any:
        return act(request)

    code, document = answer(Stub(act), environ())
    assert (code, document["code"]) == (1, 999)
    assert document["msg"].startswith("RecursionError: ")


def test_an_exception_without_a_text_is_an_error_all_the_same() -> None:
    """S-46."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    code, document = answer(failing(Mute()), environ())
    assert (code, document["code"]) == (1, 999)


@pytest.mark.parametrize(
    "result",
    [
        {"ips": [{"address": "10.0.0.2/8"}], "x": {1, 2}},
        {"ips": [{"address": "10.0.0.2/8"}], "x": float("nan")},
        {"ips": [{"address": "10.0.0.2/8"}], "x": b"bytes"},
        {"ips": [{}]},
        {"ips": 5},
        [],
        "text",
    ],
)
def test_a_result_that_cannot_be_printed_is_an_error(result: Any) -> None:
    """S-45, S-46."""
    code, document = answer(Stub(lambda request: result), environ(), config(cniVersion="0.4.0"))
    assert (code, document["code"]) == (1, 999)


def test_a_result_that_nests_without_end_is_an_error() -> None:
    """S-45, S-46."""
    circle: dict[str, Any] = {}
    circle["again"] = circle
    code, document = answer(Stub(lambda request: circle), environ())
    assert (code, document["code"]) == (1, 999)


def test_a_result_that_the_version_cannot_hold_is_an_incompatible_version() -> None:
    """S-61."""
    code, document = answer(Stub(lambda request: {"ips": []}), environ(), config(cniVersion="0.2.0"))
    assert (code, document) == (
        1,
        {
            "cniVersion": "0.2.0",
            "code": 1,
            "msg": "cannot convert: no valid IP addresses, and cniVersion 0.2.0 needs one",
        },
    )


def test_bytes_that_are_no_utf8_are_printed_as_the_replacement_character() -> None:
    """S-46: a path in the environment may hold any byte, a JSON string may not."""
    stub = Stub(lambda request: {"interfaces": [{"name": "eth0", "sandbox": request.attachment.netns}]})
    stdout = respond(stub, environ(CNI_NETNS="/a\udcff\U0001f600"), config)[1]
    assert b'"sandbox": "/a\\ufffd\\ud83d\\ude00"' in stdout
    assert json.loads(stdout)["interfaces"][0]["sandbox"] == "/a\ufffd\U0001f600"


def test_a_traceback_goes_to_stderr_on_demand_only(capfd: pytest.CaptureFixture[str]) -> None:
    """S-45."""
    answer(failing(ValueError("potato")), environ())
    assert capfd.readouterr() == ("", "")
    assert answer(failing(ValueError("potato")), environ(CNIWIRE_DEBUG="1"))[1]["msg"] == "ValueError: potato"
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("ValueError: potato\n")


def test_a_traceback_that_nobody_reads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-45."""

    def closed(*_: object) -> NoReturn:
        raise OSError(EBADF, "Bad file descriptor")

    monkeypatch.setattr(os, "write", closed)
    assert answer(failing(ValueError("potato")), environ(CNIWIRE_DEBUG="1"))[1]["msg"] == "ValueError: potato"


def test_version_prints_the_newest_version_and_the_supported_ones() -> None:
    """S-35, S-37: one compact line, stdin is not read."""
    stub = Stub(versions=["0.3.0", "1.0.0"])
    assert respond(stub, environ("VERSION"), refuse) == (
        0,
        b'{"cniVersion":"1.1.0","supportedVersions":["0.3.0","1.0.0"]}\n',
    )
    assert stub.calls == []


def test_version_needs_no_other_variable() -> None:
    """S-36."""
    assert respond(Stub(), {"CNI_COMMAND": "VERSION"}, refuse)[0] == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_stdin_is_not_read_before_the_environment_is_in_order(command: str) -> None:
    """S-12, S-25, S-41."""
    code, stdout = respond(Stub(), {"CNI_COMMAND": command}, refuse)
    assert (code, json.loads(stdout)["code"]) == (1, 4)


def nested(levels: int) -> bytes:
    """A configuration with lists in lists."""
    return b'{"cniVersion": "1.1.0", "name": "n1", "x": ' + b"[" * levels + b"]" * levels + b"}"


def test_a_deep_configuration_is_refused_whatever_the_interpreter_can_take() -> None:
    """S-42: a configuration that is accepted is printed again, in the result, when the work is done.

    So the depth is limited, to the reference's limit.
    """
    for levels in (DEPTH, sys.getrecursionlimit() * 200):
        code, document = answer(Stub(), environ(), nested(levels))
        assert (code, document["code"]) == (1, 6)
        assert (
            document["msg"]
            == "cannot decode network configuration: it nests too deep: 10000 levels are the most"
        )
    lower = sys.version_info[:2] in ((3, 12), (3, 13))  # these Pythons have a limit of their own in C
    for levels in (200, *(() if lower else (DEPTH - 1,))):
        code, output = respond(Stub(), environ(), partial(nested, levels))
        assert (code, json.loads(output or b"{}").get("code")) == (0, None)
