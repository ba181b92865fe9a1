"""host-local and bad input: one JSON error that names what is wrong, exit 1, and everything as it was."""

import json
from typing import Any

import pytest

from tests.harness.ipam import Ipam, told

INVALID_CONFIG, STORE_FAILED, UNAVAILABLE = 7, 107, 104


@pytest.mark.parametrize(
    ("ipam", "said"),
    [
        (None, "ipam: missing"),
        (7, "ipam: want an object, found 7"),
        ({"dataDir": 7, "ranges": [[{"subnet": "10.7.0.0/29"}]]}, "ipam.dataDir: want a string, found 7"),
        ({"ranges": [[{"subnet": "10.7.0.0/29"}]], "routes": 7}, "ipam.routes: want a list, found 7"),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "routes": [{}]},
            "ipam.routes[0].dst: want an address with prefix length, found null",
        ),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "resolvConf": "/none"},
            "ipam.resolvConf: cannot read /none: No such file or directory",
        ),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "resolvConf": "/"},
            "ipam.resolvConf: cannot read /: Is a directory",
        ),
    ],
)
def test_a_wrong_configuration(small: Ipam, ipam: Any, said: str) -> None:
    """H-47, H-54."""
    assert told(small.call("ADD", ipam=ipam)) == (INVALID_CONFIG, said)
    assert not small.data.exists()


def test_wrong_requests_in_the_configuration(small: Ipam) -> None:
    """H-32, H-34."""
    for keys, said in (
        ({"runtimeConfig": {"ips": ["x"]}}, "runtimeConfig.ips: want an IP address, found 'x'"),
        ({"runtimeConfig": {"ips": [7]}}, "runtimeConfig.ips: want a list of strings, found [7]"),
        ({"args": {"cni": {"ips": "10.7.0.3"}}}, 'args.cni.ips: want a list, found "10.7.0.3"'),
        ({"runtimeConfig": {"ipRanges": {}}}, "runtimeConfig.ipRanges: want a list, found {}"),
    ):
        assert told(small.call("ADD", **keys)) == (INVALID_CONFIG, said)
    assert not small.data.exists()


def test_a_data_dir_that_is_a_file(small: Ipam) -> None:
    small.data.write_text("mine")
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.data}: Not a directory",
    )
    assert small.data.read_text() == "mine"
    small.delete()
    small.collect()


def test_a_network_that_is_a_file(small: Ipam) -> None:
    small.data.mkdir()
    small.folder.write_text("mine")
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}: Not a directory",
    )
    small.delete()
    assert small.folder.read_text() == "mine"


def test_what_is_printed_is_one_document(small: Ipam) -> None:
    small.put("10.7.0.2", '\xff\xfe "quoted" \r\n')
    answer = small.call("ADD", runtimeConfig={"ips": ["10.7.0.2"]})
    assert told(answer)[0] == UNAVAILABLE
    json.dumps(answer.output)


def test_a_container_id_that_a_reservation_cannot_hold(small: Ipam) -> None:
    """4,096 bytes are read back; one more, and CHECK and DEL would not find it.

    The DEL that follows a refused ADD succeeds.
    """
    most = 4096 - len("\r\neth0")
    small.add("c" * most)
    small.check(None, "c" * most)
    small.delete("c" * most)
    assert small.reserved() == {}
    code, msg = told(small.call("ADD", "c" * (most + 1)))
    assert (code, msg) == (4, f"CNI_CONTAINERID: want at most {most} characters, found {most + 1}")
    small.delete("c" * (most + 1))
    assert small.reserved() == {}


@pytest.mark.parametrize(("command", "code"), [("ADD", 7), ("DEL", 0), ("GC", 0)])
def test_a_network_whose_name_no_directory_can_have(small: Ipam, command: str, code: int) -> None:
    """No retry can help, so it is not code 11."""
    keys: dict[str, Any] = {"cni.dev/valid-attachments": []} if command == "GC" else {}
    answer = small.call(command, "c1", name="n" * 256, **keys)
    assert (answer.exit_code, answer.output and answer.output["code"]) == ((1, code) if code else (0, None))
    if code:
        assert answer.output["msg"] == "name: want at most 255 characters, found 256"


@pytest.mark.parametrize("variable", ["CNIWIRE_TIMEOUT", "CNIWIRE_IPAM_TIMEOUT"])
@pytest.mark.parametrize("value", ["9" * 5000, "-1", "0", "1e3", " 5", "\u0665"])
def test_a_budget_that_is_none_is_the_usual_one(small: Ipam, variable: str, value: str) -> None:
    """More digits than Python converts, among others."""
    small.variables[variable] = value
    small.add("c1")
