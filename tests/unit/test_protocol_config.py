"""What respond makes of standard input: decoding, the network's name, versions, our own namespace."""

import os
from errno import EIO, EISDIR
from pathlib import Path
from typing import Any

import pytest

from core.cni.protocol import respond
from core.cni.version import ALL
from tests.harness.stub_plugin import COMMANDS, Stub, answer, config, environ, error

PATHS = {"ADD": "/proc/self/ns/net", "DEL": "/proc/self/ns/net"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "failure",
    [OSError(EIO, "Input/output error"), IsADirectoryError(EISDIR, "Is a directory"), OSError("bare")],
)
def test_a_stdin_that_cannot_be_read_is_an_io_failure(command: str, failure: OSError) -> None:
    """S-41."""

    def broken() -> bytes:
        raise failure

    stub = Stub()
    code, stdout = respond(stub, environ(command), broken)
    reason = failure.strerror or "bare"
    assert (code, stub.calls) == (1, [])
    msg = f"cannot read the network configuration from standard input: {reason}"
    assert stdout.decode() == f'{{\n    "cniVersion": "1.1.0",\n    "code": 5,\n    "msg": "{msg}"\n}}'


@pytest.mark.parametrize("command", [*COMMANDS, "other"])
@pytest.mark.parametrize(
    "stdin",
    [
        b"",
        b" \n",
        b"{",
        b"{} x",
        b"[]",
        b"null",
        b'"n1"',
        b"7",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"{'name': 1}",
        b'{"name": NaN}',
    ],
)
def test_stdin_that_is_no_json_object_is_a_decoding_failure(command: str, stdin: bytes) -> None:
    """S-42."""
    found = error(Stub(), environ(command), stdin)
    assert found["code"] == 6
    assert found["msg"].startswith("cannot decode network configuration: ")


@pytest.mark.parametrize("command", [*COMMANDS, "other"])
@pytest.mark.parametrize("name", [None, ""])
def test_a_missing_name_is_refused(command: str, name: str | None) -> None:
    """S-43."""
    found = error(Stub(), environ(command), config(name=name))
    assert (found["code"], found["msg"]) == (7, "missing network name")


@pytest.mark.parametrize("command", [*COMMANDS, "other"])
@pytest.mark.parametrize("name", ["a b", "-a", "a/b", "n1\n", "é", "a\ud800", "..", "a\0"])
def test_a_bad_name_is_refused_with_any_command(command: str, name: str) -> None:
    """S-21, S-29, S-31: code 7, and the details are the name."""
    found = error(Stub(), environ(command), config(name=name))
    shown = name.replace("\ud800", "\ufffd")
    assert (found["code"], found["msg"], found["details"]) == (7, "invalid characters in network name", shown)


@pytest.mark.parametrize("name", [1, True, ["n1"], {"n1": 1}, 1.5])
def test_a_name_that_is_no_string_is_a_decoding_failure(name: Any) -> None:
    """S-42, S-43."""
    found = error(Stub(), environ(), config(name=name))
    assert found["code"] == 6
    assert found["msg"].startswith("name: want a string, found ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", [1, 1.1, True, False, [], {}, ["1.1.0"], 0])
def test_a_version_that_is_no_string_is_a_decoding_failure(command: str, version: Any) -> None:
    """S-20, S-28, S-31."""
    found = error(Stub(), environ(command), config(cniVersion=version))
    assert (found["code"], found["cniVersion"]) == (6, "1.1.0" if version else "0.1.0")
    assert found["msg"].startswith("cniVersion: want a string, found ")


def test_the_name_is_told_before_the_version() -> None:
    """S-21, S-43."""
    assert error(Stub(), environ(), config(name="", cniVersion=5))["code"] == 7
    assert error(Stub(versions=["0.1.0"]), environ(), config(name="a b"))["code"] == 7


def test_keys_match_in_any_case_and_the_last_one_wins() -> None:
    """S-14, S-43: as the reference's decoder does."""
    stub = Stub()
    stdin = b'{"CNIVERSION": "0.4.0", "Name": "n1", "cniVersion": "1.0.0", "NAME": "n2", "name": null}'
    assert answer(stub, environ(), stdin) == (0, None)
    request = stub.calls[0][1]
    assert (request.version, request.attachment.network) == ("1.0.0", "n2")


@pytest.mark.parametrize("version", [None, ""])
@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_no_version_means_0_1_0(command: str, version: str | None) -> None:
    """S-14."""
    stub = Stub(versions=["0.1.0"])
    assert answer(stub, environ(command), config(cniVersion=version)) == (0, None)
    assert stub.calls[0][1].version == "0.1.0"


def test_no_version_is_refused_where_0_1_0_is_not_supported() -> None:
    """S-15, S-85: the details name both sides."""
    assert error(Stub(versions=["0.3.1", "1.0.0"]), environ(), b'{"name": "n1"}') == {
        "cniVersion": "0.1.0",
        "code": 1,
        "msg": "incompatible CNI versions",
        "details": "config is '0.1.0', plugin supports ['0.3.1', '1.0.0']",
    }


@pytest.mark.parametrize(
    "version", ["1.0", "1.0.1", "0.9.0", "1.2.0", "v1.0.0", "rubbish", " 1.0.0", "9" * 5000]
)
@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_add_and_del_take_exactly_the_supported_versions(command: str, version: str) -> None:
    """S-15, S-85: exact strings; the error speaks the newest version, because the configuration's is none."""
    found = error(Stub(), environ(command), config(cniVersion=version))
    assert (found["cniVersion"], found["code"], found["msg"]) == ("1.1.0", 1, "incompatible CNI versions")
    assert repr(version) in found["details"]


@pytest.mark.parametrize(
    ("command", "refused"),
    [("CHECK", ("", "0.1.0", "0.2.0", "0.3.0", "0.3.1")), ("GC", ALL[:-1]), ("STATUS", ALL[:-1])],
)
def test_a_command_is_refused_below_the_version_that_brought_it(
    command: str, refused: tuple[str, ...]
) -> None:
    """S-18, S-26, S-31."""
    for version in refused:
        found = error(Stub(), environ(command), config(cniVersion=version))
        assert (found["code"], found["msg"]) == (1, f"config version does not allow {command}")
    for version in set(ALL) - set(refused):
        assert answer(Stub(), environ(command), config(cniVersion=version)) == (0, None)


@pytest.mark.parametrize("command", ["CHECK", "GC", "STATUS"])
def test_a_plugin_below_the_configuration_is_refused(command: str) -> None:
    """S-19, S-27, S-31, S-85."""
    found = error(Stub(versions=["0.4.0", "1.0.0"]), environ(command))
    assert (found["code"], found["msg"]) == (1, f"plugin version does not allow {command}")
    assert found["details"] == "config is '1.1.0', plugin supports ['0.4.0', '1.0.0']"


@pytest.mark.parametrize("command", ["CHECK", "GC", "STATUS"])
@pytest.mark.parametrize(
    "version", ["1.0.0.0", "one", "1..0", "1.a", "-1", "+1", "1.", " 1", "²", "9" * 5000]
)
def test_a_version_that_cannot_be_compared_is_a_decoding_failure(command: str, version: str) -> None:
    """S-20, S-28, S-31."""
    assert error(Stub(), environ(command), config(cniVersion=version))["code"] == 6


@pytest.mark.parametrize("command", ["CHECK", "GC", "STATUS"])
def test_a_plugin_with_a_version_that_cannot_be_compared_is_a_decoding_failure(command: str) -> None:
    """S-22, S-30, S-31."""
    assert error(Stub(versions=["0.1.0", "adsfsadf"]), environ(command))["code"] == 6


def test_our_own_netns_is_refused_before_the_handler_runs(tmp_path: Path) -> None:
    """S-48."""
    link = tmp_path / "netns"
    link.symlink_to("/proc/self/ns/net")
    for path in ("/proc/self/ns/net", f"/proc/{os.getpid()}/ns/net", str(link)):
        found = error(Stub(), environ("ADD", CNI_NETNS=path))
        assert (found["code"], found["msg"]) == (8, f"CNI_NETNS {path} is the plugin's own network namespace")


def test_del_takes_our_own_netns_as_one_that_is_gone() -> None:
    """S-48: code 8 would be told at every retry, and what the container had would stay.

    Delegates are told the same.
    """
    stub = Stub()
    assert answer(stub, environ("DEL", CNI_NETNS=f"/proc/{os.getpid()}/ns/net")) == (0, None)
    ((_, request),) = stub.calls
    assert (request.attachment.netns, request.environ["CNI_NETNS"]) == ("", "")


@pytest.mark.parametrize("command", ["ADD", "DEL"])
@pytest.mark.parametrize("value", ["1", "true", "TRUE", "True"])
def test_the_override_allows_our_own_netns(command: str, value: str) -> None:
    """S-49."""
    stub = Stub()
    variables = environ(command, CNI_NETNS="/proc/self/ns/net", CNI_NETNS_OVERRIDE=value)
    assert answer(stub, variables) == (0, None)
    assert stub.calls


@pytest.mark.parametrize("value", ["0", "false", "yes", ""])
def test_another_override_does_not(value: str) -> None:
    """S-49."""
    variables = environ(CNI_NETNS="/proc/self/ns/net", CNI_NETNS_OVERRIDE=value)
    assert error(Stub(), variables)["code"] == 8


@pytest.mark.parametrize("command", ["CHECK", "GC", "STATUS"])
def test_other_commands_do_not_look_at_the_netns(command: str) -> None:
    """S-48."""
    assert answer(Stub(), environ(command, CNI_NETNS="/proc/self/ns/net")) == (0, None)


@pytest.mark.parametrize(
    "path", ["/no/such/netns", "a\0b", "/proc/self/ns/net/below", "x" * 5000, "\udcff", "/proc/self/ns/mnt"]
)
def test_a_netns_that_cannot_be_opened_is_not_ours(path: str) -> None:
    """S-50."""
    for command in ("ADD", "DEL"):
        assert answer(Stub(), environ(command, CNI_NETNS=path)) == (0, None)
