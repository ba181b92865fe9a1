"""static: what it answers is what is written, the Go plugin's answer in every version that both speak."""

import os
from functools import partial
from typing import Any

import pytest

from core.cni import delegate
from core.cni.protocol import respond
from core.errors import INCOMPATIBLE_VERSION
from tests.harness.requests import BIN, SIBLINGS
from tests.harness.stub_plugin import Stub
from tests.unit.static.cases import (
    BOTH,
    DNS,
    GO,
    OURS_ALONE,
    REFUSED,
    V4,
    V6,
    WRITTEN,
    Keys,
    environ,
    go,
    ipam,
    ours,
    stdin,
)

WRONG = {**REFUSED, **OURS_ALONE}
needs_go = pytest.mark.skipif(not GO.exists(), reason=f"there is no Go plugin at {GO}")


@needs_go
@pytest.mark.parametrize(("args", "keys"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("version", ["", *BOTH])
def test_both_suites_answer_alike(version: str, args: str, keys: Keys) -> None:
    """N-1: results; and before 0.3.0 a second address of a family, or none at all, is refused."""
    code, document = go("ADD", version, keys, args)
    if code:
        answered, error = ours("ADD", version, keys, args)
        assert (answered, error["code"]) == (1, INCOMPATIBLE_VERSION), document
        assert error["msg"].startswith(document["msg"].replace("version  does", "version 0.1.0 does"))
    else:
        assert ours("ADD", version, keys, args) == (code, document)


@pytest.mark.parametrize("version", ["0.4.0", "1.1.0"])
@pytest.mark.parametrize(("args", "keys", "code", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_key_is_named_with_its_value(
    version: str, args: str, keys: Keys, code: int, said: str
) -> None:
    """N-1: by ADD, and by CHECK, which works out the same; by STATUS where it is not of one attachment."""
    for command in ("ADD", "CHECK"):
        failed, error = ours(command, version, {**keys, "prevResult": {"ips": [V4]}}, args)
        assert (failed, error["code"]) == (1, code), error
        assert said in error["msg"]
    if version == "1.1.0" and not args:
        failed, error = ours("STATUS", version, keys)
        assert (failed, error["code"]) == (1, code)
    if GO.exists() and version == "0.4.0":
        assert go("ADD", version, keys, args)[0] == ((args, keys, code, said) in REFUSED.values())


def test_the_newest_version_has_the_same_answer() -> None:
    """N-1: what the Go plugin of the tests does not speak yet. Keys of a route that it drops are kept."""
    routes = [{"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1400, "table": 0, "scope": 0, "priority": 7}]
    assert ours("ADD", "1.1.0", ipam(V4, V6, routes=routes, dns=DNS)) == (
        0,
        {"cniVersion": "1.1.0", "dns": DNS, "ips": [V4, V6], "routes": routes},
    )


def test_in_process_and_executed_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-92, S-94: our own executable is not executed, and answers as if it were."""
    calls: list[str] = []
    executed = delegate._executed

    def noted(path: str, *rest: Any) -> tuple[int, bytes, bytes]:
        calls.append(path)
        return executed(path, *rest)

    monkeypatch.setattr(delegate, "_executed", noted)
    outer, outcomes = Stub(lambda request: delegate.call(request, request.command)), []
    for folder in (BIN, "/usr/bin"):
        monkeypatch.setattr(delegate, "EXECUTABLES", str(folder))
        for command, keys in (
            ("ADD", ipam(V4)),
            ("ADD", ipam({"address": "x"})),
            ("CHECK", ipam(V4)),
            ("DEL", {}),
        ):
            config = stdin("1.1.0", {"ipam": {"type": "static"}, **keys})
            variables = {**environ(command, ""), "PATH": os.environ["PATH"]}
            outcomes.append(respond(outer, variables, partial(bytes, config), SIBLINGS))
    # Four calls, and DEL after the ADD that failed.
    assert calls == [str(BIN / "static")] * 5
    assert outcomes[:4] == outcomes[4:]
