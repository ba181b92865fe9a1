"""Our own host-local in process and the same as an executable: one outcome, one state."""

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.cni import delegate
from core.cni.protocol import respond
from core.errors import ADDRESS_UNAVAILABLE, ADDRESSES_EXHAUSTED, INVALID_CONFIG
from tests.harness.stub_plugin import Stub, environ

BIN = Path(__file__).resolve().parents[2] / "bin"
RANGES = [[{"subnet": "10.7.0.0/29"}]]
SETS: list[dict[str, Any]] = [
    {"ranges": RANGES},
    {"ranges": [[{"subnet": "10.7.0.1/29"}]]},
    {"ranges": [[{"subnet": "fd00::/120"}]], "routes": [{"dst": "::/0"}]},
]
STEPS: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
    ("ADD", "c1", {}, {}),
    ("CHECK", "c1", {}, {}),
    ("ADD", "c1", {}, {}),
    ("ADD", "c2", {}, {"CNI_ARGS": "IP=10.7.0.4"}),
    ("ADD", "c3", {}, {"CNI_ARGS": "K=V"}),
    ("ADD", "c3", {}, {"CNI_NETNS": "/proc/self/ns/net"}),
    ("ADD", "c3", {"cniVersion": "1.2.0"}, {}),
    ("ADD", "c3", {"cniVersion": "0.2.0"}, {}),
    ("CHECK", "c9", {}, {}),
    ("CHECK", "c9", {"cniVersion": "0.3.1"}, {}),
    ("STATUS", "c1", {}, {}),
    ("GC", "c1", {"cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "eth0"}]}, {}),
    ("DEL", "c2", {"prevResult": "rubbish"}, {}),
    ("DEL", "c9", {}, {"CNI_NETNS": ""}),
]


def outcomes(
    folder: Path, ipam: dict[str, Any], monkeypatch: pytest.MonkeyPatch, in_process: bool
) -> list[Any]:
    """What each step answered and left behind."""
    monkeypatch.setattr(delegate, "EXECUTABLES", str(BIN) if in_process else "/usr/bin")
    outer, seen = Stub(lambda request: delegate.call(request, request.command)), []
    for command, container_id, more, variables in STEPS:
        config = {
            "cniVersion": "1.1.0",
            "name": "n1",
            "ipam": {**ipam, "type": "host-local", "dataDir": str(folder)},
            **more,
        }
        stdin = json.dumps(config).encode()
        usual = {
            "CNI_CONTAINERID": container_id,
            "CNI_ARGS": "",
            "CNI_PATH": str(BIN),
            "PATH": os.environ["PATH"],
        }
        full = environ(command, **{**usual, **variables})
        code, stdout = respond(outer, full, partial(bytes, stdin), {"host-local": "ipam.host_local"})
        store = {path.name: path.read_bytes() for path in folder.glob("n1/[!.]*")}
        seen.append((code, stdout.split(b" since ")[0], store))
    return seen


@pytest.mark.parametrize("ipam", SETS, ids=["v4", "invalid", "v6"])
def test_in_process_and_executed_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ipam: dict[str, Any]
) -> None:
    """S-92, S-94, S-95, S-96, S-97, S-99, S-100."""
    calls: list[str] = []
    executed = delegate._executed

    def noted(path: str, *rest: Any) -> tuple[int, bytes, bytes]:
        calls.append(path)
        return executed(path, *rest)

    monkeypatch.setattr(delegate, "_executed", noted)
    one = outcomes(tmp_path / "n", ipam, monkeypatch, in_process=True)
    assert calls == []
    shutil.rmtree(tmp_path / "n", ignore_errors=True)
    other = outcomes(tmp_path / "n", ipam, monkeypatch, in_process=False)
    assert set(calls) == {str(BIN / "host-local")}
    assert one == other
    if "routes" not in ipam:
        assert {code for code, _, _ in one} == {0, 1}


def test_no_del_follows_an_add_that_our_own_sibling_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses before it reserves: a full range or a taken address leaves no reservation to free."""
    calls: list[str] = []
    run = delegate._run

    def noted(request: Any, command: str, *rest: Any) -> bytes:
        calls.append(command)
        return run(request, command, *rest)

    monkeypatch.setattr(delegate, "_run", noted)
    monkeypatch.setattr(delegate, "EXECUTABLES", str(BIN))
    outer = Stub(lambda request: delegate.call(request, request.command))
    ipam = {"type": "host-local", "dataDir": str(tmp_path), "ranges": [[{"subnet": "10.7.0.0/30"}]]}
    codes = []
    for container_id, more in (("c1", {}), ("c1", {}), ("c2", {}), ("c3", {"ranges": 7})):
        stdin = json.dumps({"cniVersion": "1.1.0", "name": "n1", "ipam": {**ipam, **more}}).encode()
        variables = environ("ADD", CNI_CONTAINERID=container_id, CNI_ARGS="", CNI_PATH=str(BIN))
        code, stdout = respond(outer, variables, partial(bytes, stdin), {"host-local": "ipam.host_local"})
        codes.append(json.loads(stdout).get("code", code))
    assert codes == [0, ADDRESS_UNAVAILABLE, ADDRESSES_EXHAUSTED, INVALID_CONFIG]
    assert calls == ["ADD", "ADD", "ADD", "ADD", "DEL"]
