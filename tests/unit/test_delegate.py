"""Delegation: which executable is found, and what it is handed."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cni import delegate
from core.cni.protocol import respond
from core.errors import CNIError
from tests.harness.other_ipam import NOTES, RESULT, call, commands, install
from tests.harness.stub_plugin import COMMANDS, NO_NETNS, Stub, answer, config, environ


def test_add_finds_the_plugin_runs_it_and_returns_its_result(tmp_path: Path) -> None:
    """S-92, S-99."""
    install(tmp_path, f"{NOTES}; echo '{RESULT}'")
    assert call(tmp_path) == (0, {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/16"}]})
    assert commands(tmp_path) == ["ADD"]


@pytest.mark.parametrize("command", ["CHECK", "DEL", "GC", "STATUS"])
def test_every_other_command_is_forwarded_and_its_output_ignored(tmp_path: Path, command: str) -> None:
    """S-94, S-95, S-96, S-97."""
    install(tmp_path, f"{NOTES}; echo rubbish")
    assert call(tmp_path, command) == (0, None)
    assert commands(tmp_path) == [command]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plugin_that_is_nowhere_is_an_error(tmp_path: Path, command: str) -> None:
    """S-93, S-94, S-95, S-96, S-97, S-98: naming plugin and path."""
    code, error = call(tmp_path, command)
    assert (code, error["code"]) == (1, 106)
    assert error["msg"] == f'ipam.type: failed to find plugin "other" in path [{tmp_path}]'


def test_the_environment_is_ours_but_for_the_command(tmp_path: Path) -> None:
    """S-90, S-91, S-99: each variable once, unknown ones pass."""
    install(tmp_path, 'env -0 > "$NOTES"')
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


def test_stdin_is_handed_on_byte_for_byte(tmp_path: Path) -> None:
    """S-99: the whole configuration, not the ipam part of it, however large."""
    install(tmp_path, 'cat > "$NOTES"')
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


def test_a_plugin_that_leaves_its_stdin_alone_is_none_the_worse(tmp_path: Path) -> None:
    """S-99: neither side blocks or gets a signal."""
    install(tmp_path, f"exec <&-; echo '{RESULT}'")
    assert call(tmp_path, NETNS="x" * 1000)[0] == 0


@pytest.mark.parametrize("plugin", ["a/b", "/bin/true", "../other", "", "/"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, plugin: str) -> None:
    """S-98: empty, or with a separator."""
    install(tmp_path, "true")
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


def test_our_own_sibling_runs_in_process_when_it_is_the_file_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-92, S-99: the same environment, stdin, result and errors; another file of that name is executed."""
    install(tmp_path, f"{NOTES}; echo '{RESULT}'")
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
