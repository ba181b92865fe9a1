"""Delegation: what is made of the answers of somebody else's IPAM plugin, and of its failures."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.cni.version import ALL
from tests.harness.other_ipam import NOTES, RESULT, call, commands, install

PRINTED = f"{RESULT}\n"
STATUS_1 = "plugin other failed (exit status 1) and printed no CNI error"
STATUS_3 = "plugin other failed (exit status 3) and printed no CNI error"


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
    tmp_path: Path, command: str, printed: str, error: Any
) -> None:
    """S-100: its code where it is one, its message, its details."""
    install(tmp_path, f"{NOTES}; echo '{printed}'; exit 7")
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
def test_a_plugin_that_fails_in_its_own_way_is_told(tmp_path: Path, script: str, msg: str) -> None:
    """S-101, S-102: from its stderr, its exit status or signal, its rubbish."""
    install(tmp_path, f"{NOTES}; {script}")
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
def test_a_result_that_is_none_is_an_error(tmp_path: Path, script: str, reason: str) -> None:
    """S-62, S-87: what it reserved is given back, as nobody knows what it was."""
    install(tmp_path, f"{NOTES}; {script}")
    code, error = call(tmp_path)
    assert (code, error["code"], error["msg"]) == (1, 106, f"cannot decode result of other: {reason}")
    assert error["details"].startswith("it printed ")
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_the_first_failure_is_the_one_to_tell(tmp_path: Path) -> None:
    """S-102."""
    install(
        tmp_path,
        f'{NOTES}; [ $CNI_COMMAND = ADD ] && exit 3; echo \'{{"code": 11, "msg": "from DEL"}}\'; exit 1',
    )
    assert call(tmp_path)[1]["msg"] == "plugin other failed without a message: exit status 3"
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_a_refused_add_is_followed_by_del(tmp_path: Path) -> None:
    """S-100: the specification wants it, and remains of an earlier attachment are cleaned by it."""
    install(
        tmp_path, f'{NOTES}; echo \'{{"code": 104, "msg": "duplicate allocation is not allowed"}}\'; exit 1'
    )
    assert call(tmp_path)[1]["code"] == 104
    assert commands(tmp_path) == ["ADD", "DEL"]


def test_an_error_with_exit_code_0_is_an_error_where_a_result_is_wanted(tmp_path: Path) -> None:
    """S-100."""
    install(tmp_path, 'echo \'{"code": 11, "msg": "busy"}\'')
    assert call(tmp_path) == (1, {"cniVersion": "1.1.0", "code": 11, "msg": "busy"})
    assert call(tmp_path, "DEL") == (0, None)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("own", ["", '"cniVersion": "", '])
def test_a_result_without_a_version_is_in_the_configurations(tmp_path: Path, version: str, own: str) -> None:
    """S-104, S-105."""
    ips = '"ips": [{"address": "10.1.0.2/16"}]' if version >= "0.3" else '"ip4": {"ip": "10.1.0.2/16"}'
    install(tmp_path, f"echo '{{{own}{ips}}}'")
    code, result = call(tmp_path, version=version)
    assert (code, result["cniVersion"]) == (0, version)
    assert "10.1.0.2/16" in json.dumps(result)


def test_a_result_of_another_version_is_converted(tmp_path: Path) -> None:
    """S-65, S-104."""
    install(tmp_path, 'echo \'{"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/16"}}\'')
    assert call(tmp_path, version="0.4.0") == (
        0,
        {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.1.0.2/16"}], "dns": {}},
    )


def test_null_is_an_empty_result(tmp_path: Path) -> None:
    """S-106."""
    install(tmp_path, "echo null")
    assert call(tmp_path) == (0, {"cniVersion": "1.1.0"})
