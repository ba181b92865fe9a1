"""Delegation: which executable is found, what it is handed, and what is made of its answers."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.cni import delegate
from core.cni.protocol import respond
from core.cni.version import ALL
from core.errors import CNIError
from tests.harness.stub import COMMANDS, NO_NETNS, Stub, answer, config, environ

RESULT = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/16"}]}'
PRINTED = f"{RESULT}\n"
STATUS_1 = "plugin other failed (exit status 1) and printed no CNI error"
STATUS_3 = "plugin other failed (exit status 3) and printed no CNI error"
NOTES = 'echo "$CNI_COMMAND" >> "$NOTES"'
Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Write a shell script as the IPAM plugin `other`; what it echoes is its answer."""

    def write(script: str, name: str = "other") -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


def call(
    folder: Path, command: str = "ADD", plugin: Any = "other", version: str = "1.1.0", **more: str
) -> tuple[int, Any]:
    """Call a plugin that does nothing but delegate, with *folder* as CNI_PATH."""
    stub = Stub(lambda request: delegate.call(request, request.command))
    stdin = config(cniVersion=version, ipam={"type": plugin})
    path = os.environ["PATH"]
    return answer(
        stub, environ(command, CNI_PATH=str(folder), PATH=path, NOTES=str(folder / "notes"), **more), stdin
    )


def commands(folder: Path) -> list[str]:
    """The commands that the plugin noted, in order."""
    notes = folder / "notes"
    return notes.read_text().split() if notes.exists() else []


def test_add_finds_the_plugin_runs_it_and_returns_its_result(install: Install, tmp_path: Path) -> None:
    """S-92, S-99."""
    install(f"{NOTES}; echo '{RESULT}'")
    assert call(tmp_path) == (0, {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/16"}]})
    assert commands(tmp_path) == ["ADD"]


@pytest.mark.parametrize("command", ["CHECK", "DEL", "GC", "STATUS"])
def test_every_other_command_is_forwarded_and_its_output_ignored(
    install: Install, tmp_path: Path, command: str
) -> None:
    """S-94, S-95, S-96, S-97."""
    install(f"{NOTES}; echo rubbish")
    assert call(tmp_path, command) == (0, None)
    assert commands(tmp_path) == [command]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plugin_that_is_nowhere_is_an_error(tmp_path: Path, command: str) -> None:
    """S-93, S-94, S-95, S-96, S-97, S-98: naming plugin and path."""
    code, error = call(tmp_path, command)
    assert (code, error["code"]) == (1, 106)
    assert error["msg"] == f'ipam.type: failed to find plugin "other" in path [{tmp_path}]'


def test_the_environment_is_ours_but_for_the_command(install: Install, tmp_path: Path) -> None:
    """S-90, S-91, S-99: each variable once, unknown ones pass."""
    install('env -0 > "$NOTES"')
    variables = environ(
        "ADD",
        CNI_PATH=str(tmp_path),
        NOTES=str(tmp_path / "notes"),
        TRACEPARENT="00-1",
        CNI_NETNS="/\udcff",
        PATH="/bin:/usr/bin",
    )
    stub = Stub(lambda request: delegate.call(request, "STATUS"))
    assert answer(stub, variables, config(ipam={"type": "other"})) == (0, None)
    lines = (tmp_path / "notes").read_bytes().rstrip(b"\0").split(b"\0")
    found = dict(line.split(b"=", 1) for line in lines)
    assert len(found) == len(lines)
    wanted = {
        os.fsencode(key): os.fsencode(value) for key, value in {**variables, "CNI_COMMAND": "STATUS"}.items()
    }
    assert {key: value for key, value in found.items() if key in wanted} == wanted
    assert set(found) - set(wanted) <= {b"PWD", b"_", b"SHLVL", b"OLDPWD"}


def test_stdin_is_handed_on_byte_for_byte(install: Install, tmp_path: Path) -> None:
    """S-99: the whole configuration, not the ipam part of it, however large."""
    install('cat > "$NOTES"')
    stdin = (
        b' {"name": "n1", "IPAM": {"type": "other"}, "a": 1.0, "a": "\xff", "b": "'
        + b"x" * 300_000
        + b'", "cniVersion": "1.1.0"}\n\n'
    )
    stub = Stub(lambda request: delegate.call(request, "DEL"))
    assert answer(
        stub, environ(CNI_PATH=str(tmp_path), NOTES=str(tmp_path / "notes"), PATH="/bin:/usr/bin"), stdin
    ) == (0, None)
    assert (tmp_path / "notes").read_bytes() == stdin


def test_a_plugin_that_leaves_its_stdin_alone_is_none_the_worse(install: Install, tmp_path: Path) -> None:
    """S-99: neither side blocks or gets a signal."""
    install(f"exec <&-; echo '{RESULT}'")
    assert call(tmp_path, NETNS="x" * 1000)[0] == 0


@pytest.mark.parametrize("plugin", ["a/b", "/bin/true", "../other", "", "/"])
def test_a_name_that_cannot_be_one_is_refused(install: Install, tmp_path: Path, plugin: str) -> None:
    """S-98: empty, or with a separator."""
    install("true")
    code, error = call(tmp_path, "DEL", plugin)
    assert (code, error["code"], error["msg"]) == (
        1,
        7,
        f'ipam.type: want the name of a plugin, found "{plugin}"',
    )


@pytest.mark.parametrize("plugin", [5, True, ["other"]])
def test_a_type_that_is_no_string_is_refused(tmp_path: Path, plugin: Any) -> None:
    """S-98."""
    code, error = call(tmp_path, "DEL", plugin)
    assert (code, error["code"]) == (1, 7)
    assert error["msg"].startswith("ipam.type: want a string, found ")


@pytest.mark.parametrize("plugin", ["a\0b", "..", ".", "x" * 5000, "\udcff"])
def test_an_odd_name_is_not_found(tmp_path: Path, plugin: str) -> None:
    """S-98."""
    assert call(tmp_path, "DEL", plugin)[1]["code"] == 106


def test_the_first_regular_file_of_several_directories_wins(tmp_path: Path) -> None:
    """S-98: whether it is executable is not asked."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "other").mkdir()
    for name in ("b", "c"):
        (tmp_path / name / "other").write_text("")
    search = f"{tmp_path}/none:{tmp_path}/a::{tmp_path}/b:{tmp_path}/c"
    assert delegate.find("other", search) == f"{tmp_path}/b/other"


@pytest.mark.parametrize("search", ["", ":", "::"])
def test_without_directories_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    """S-98: the current directory is none of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("")
    with pytest.raises(CNIError) as caught:
        delegate.find("other", search)
    assert (caught.value.code, caught.value.msg) == (
        106,
        f'ipam.type: failed to find plugin "other" in path [{search}]',
    )


@pytest.mark.parametrize(
    ("printed", "error"),
    [
        (
            '{"cniVersion": "0.4.0", "code": 11, "msg": "busy", "details": "later"}',
            {"code": 11, "msg": "busy", "details": "later"},
        ),
        (
            '{"CODE": 103, "Msg": "no IP addresses available in range set: a-b"}',
            {"code": 103, "msg": "no IP addresses available in range set: a-b"},
        ),
        ('{"code": 4294967295, "msg": "", "details": 5}', {"code": 4294967295, "msg": ""}),
        *[
            (f'{{"code": {code}, "msg": "m"}}', {"code": 106, "msg": "m"})
            for code in ("0", "-1", "true", "4294967296", "1" * 50)
        ],
    ],
)
@pytest.mark.parametrize("command", ["ADD", "DEL", "STATUS"])
def test_an_error_that_a_failing_plugin_printed_is_ours(
    install: Install, tmp_path: Path, command: str, printed: str, error: Any
) -> None:
    """S-100: its code where it is one, its message, its details."""
    install(f"{NOTES}; echo '{printed}'; exit 7")
    assert call(tmp_path, command) == (1, {"cniVersion": "1.1.0", **error})
    assert commands(tmp_path) == [command] + ["DEL"] * (command == "ADD")


@pytest.mark.parametrize(
    ("script", "msg"),
    [
        ("echo potato >&2; exit 3", "plugin other failed without a message: potato"),
        ("exit 3", "plugin other failed without a message: exit status 3"),
        ("echo; exit 3", "plugin other failed without a message: exit status 3"),
        ("kill -9 $$", "plugin other failed without a message: killed by signal 9"),
        ("echo rubbish; echo potato >&2; exit 3", f'{STATUS_3}: "rubbish\\n"'),
        ("printf '\\377'; exit 3", f'{STATUS_3}: "\\ufffd"'),
        (
            f"echo '{RESULT}'; kill -15 $$",
            f"plugin other failed (killed by signal 15) and printed no CNI error: {json.dumps(PRINTED)}",
        ),
        ('echo "[]"; exit 1', f'{STATUS_1}: "[]\\n"'),
        ("echo '{\"code\": 5}'; exit 1", STATUS_1 + ': "{\\"code\\": 5}\\n"'),
        ("echo '{\"code\": 5.0}'; exit 1", STATUS_1 + ': "{\\"code\\": 5.0}\\n"'),
    ],
)
def test_a_plugin_that_fails_in_its_own_way_is_told(
    install: Install, tmp_path: Path, script: str, msg: str
) -> None:
    """S-101, S-102: from its stderr, its exit status or signal, its rubbish."""
    install(f"{NOTES}; {script}")
    code, error = call(tmp_path)
    assert (code, error["code"], error["msg"]) == (1, 106, msg)
    assert commands(tmp_path) == ["ADD", "DEL"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("true", "it is empty"),
        ("echo rubbish", "Expecting value: line 1 column 1 (char 0)"),
        ("echo []", "want a JSON object"),
        ("echo '{\"ips\": [{}]}'", "ips[0].address: want an address with prefix length, found null"),
        ('echo \'{"cniVersion": "0.9.0"}\'', "cniVersion: unknown version '0.9.0'"),
    ],
)
def test_a_result_that_is_none_is_an_error(
    install: Install, tmp_path: Path, script: str, reason: str
) -> None:
    """S-62, S-87: what it reserved is given back, as nobody knows what it was."""
    install(f"{NOTES}; {script}")
    code, error = call(tmp_path)
    assert (code, error["code"], error["msg"]) == (1, 106, f"cannot decode result of other: {reason}")
    assert error["details"].startswith("it printed ")
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_the_first_failure_is_the_one_to_tell(install: Install, tmp_path: Path) -> None:
    """S-102."""
    install(f'{NOTES}; [ $CNI_COMMAND = ADD ] && exit 3; echo \'{{"code": 11, "msg": "from DEL"}}\'; exit 1')
    assert call(tmp_path)[1]["msg"] == "plugin other failed without a message: exit status 3"
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_a_refused_add_is_followed_by_del(install: Install, tmp_path: Path) -> None:
    """S-100: the specification wants it, and remains of an earlier attachment are cleaned by it."""
    install(f'{NOTES}; echo \'{{"code": 104, "msg": "duplicate allocation is not allowed"}}\'; exit 1')
    assert call(tmp_path)[1]["code"] == 104
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_an_error_with_exit_code_0_is_an_error_where_a_result_is_wanted(
    install: Install, tmp_path: Path
) -> None:
    """S-100."""
    install('echo \'{"code": 11, "msg": "busy"}\'')
    assert call(tmp_path) == (1, {"cniVersion": "1.1.0", "code": 11, "msg": "busy"})
    assert call(tmp_path, "DEL") == (0, None)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("own", ["", '"cniVersion": "", '])
def test_a_result_without_a_version_is_in_the_configurations(
    install: Install, tmp_path: Path, version: str, own: str
) -> None:
    """S-104, S-105."""
    ips = '"ips": [{"address": "10.1.0.2/16"}]' if version >= "0.3" else '"ip4": {"ip": "10.1.0.2/16"}'
    install(f"echo '{{{own}{ips}}}'")
    code, result = call(tmp_path, version=version)
    assert (code, result["cniVersion"]) == (0, version)
    assert "10.1.0.2/16" in json.dumps(result)


def test_a_result_of_another_version_is_converted(install: Install, tmp_path: Path) -> None:
    """S-65, S-104."""
    install('echo \'{"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/16"}}\'')
    assert call(tmp_path, version="0.4.0") == (
        0,
        {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.1.0.2/16"}], "dns": {}},
    )


def test_null_is_an_empty_result(install: Install, tmp_path: Path) -> None:
    """S-106."""
    install("echo null")
    assert call(tmp_path) == (0, {"cniVersion": "1.1.0"})


def test_our_own_sibling_runs_in_process_when_it_is_the_file_that_was_found(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-92, S-99: the same environment, stdin, result and errors; another file of that name is executed."""
    install(f"{NOTES}; echo '{RESULT}'")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "other").symlink_to("../other")
    sibling = Stub(
        lambda request: {
            "ips": [{"address": "10.9.0.2/16"}],
            "seen": [request.args, request.attachment.netns],
        }
    )
    monkeypatch.setitem(sys.modules, "stub_sibling", sibling)
    outer = Stub(lambda request: delegate.call(request, request.command))

    def ask(executables: Path) -> Any:
        monkeypatch.setattr(delegate, "EXECUTABLES", str(executables))
        variables = environ(
            CNI_PATH=str(tmp_path / "bin"), NOTES=str(tmp_path / "notes"), PATH=os.environ["PATH"]
        )
        code, stdout = respond(
            outer, variables, lambda: config(ipam={"type": "other"}), {"other": "stub_sibling"}
        )
        assert code == 0
        return json.loads(stdout)

    assert ask(tmp_path) == {
        "cniVersion": "1.1.0",
        "ips": [{"address": "10.9.0.2/16"}],
        "seen": ["K=V", NO_NETNS],
    }
    assert commands(tmp_path) == []
    assert ask(Path("nowhere")) == ask(Path("/usr/bin")) == json.loads(RESULT)
    assert commands(tmp_path) == ["ADD", "ADD"]
