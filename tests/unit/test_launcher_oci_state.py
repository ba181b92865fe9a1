"""What an OCI runtime writes to a hook's stdin, config.json, annotations: read, or refused in one message."""

import json
from typing import Any

import pytest

from launcher import oci_state
from launcher.failures import Failure
from launcher.oci_state import Bundle, State
from launcher.wishes import Wishes

STATE = {"ociVersion": "1.0.2", "id": "c1", "status": "creating", "pid": 42, "bundle": "/b"}
ASKED = {"cniwire.networks": "demo"}


def state(**keys: Any) -> State:
    """The state with other keys; None takes one away."""
    values = {key: value for key, value in (STATE | keys).items() if value is not None}
    return oci_state.state(json.dumps(values).encode())


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(Failure) as caught:
        call(*arguments)
    assert caught.value.details == caught.value.hint == ""
    assert "\n" not in caught.value.msg
    return caught.value.msg


def test_states_of_runc_and_crun_are_read() -> None:
    """crun tells pid 0 of a stopped container, runc none; crun says `created` where runc says `creating`."""
    assert state(annotations=ASKED) == State("c1", False, 42, "/b", ASKED)
    assert state(status="created", root="rootfs") == State("c1", False, 42, "/b", {})
    assert state(status="running", bundle=None) == State("c1", False, 42, "", {})
    assert state(status="stopped", pid=None) == State("c1", True, 0, "/b", {})
    assert state(status="stopped", pid=0) == State("c1", True, 0, "/b", {})
    assert state(status="stopped", pid="what") == State("c1", True, 0, "/b", {}), "nobody needs it"


@pytest.mark.parametrize(
    ("stdin", "why"),
    [
        (b"", "the state on stdin: want a JSON object, found nothing"),
        (b" \n", "the state on stdin: want a JSON object, found nothing"),
        (b"{", "the state on stdin: want a JSON object: "),
        (b"[]", "found []"),
        (b"\xff\xfe", "the state on stdin: want a JSON object: "),
        (b'{"id": "c1", "status": "crea', "the state on stdin: want a JSON object: "),
    ],
)
def test_what_is_no_object_is_refused(stdin: bytes, why: str) -> None:
    assert why in refused(oci_state.state, stdin)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"id": None}, "id: want letters, digits, dots, dashes and underscores, found null"),
        ({"id": ""}, 'id: want letters, digits, dots, dashes and underscores, found ""'),
        ({"id": "a/b"}, 'id: want letters, digits, dots, dashes and underscores, found "a/b"'),
        ({"id": 7}, "id: want letters, digits, dots, dashes and underscores, found 7"),
        ({"status": None}, "status: want creating, created, running or stopped, found null"),
        ({"status": "paused"}, 'status: want creating, created, running or stopped, found "paused"'),
        ({"status": ["stopped"]}, 'status: want creating, created, running or stopped, found ["stopped"]'),
        ({"pid": None}, "pid: want the number of a process, found null"),
        ({"pid": 0}, "pid: want the number of a process, found 0"),
        ({"pid": -1}, "pid: want the number of a process, found -1"),
        ({"pid": True}, "pid: want the number of a process, found true"),
        ({"pid": "42"}, 'pid: want the number of a process, found "42"'),
        ({"pid": 42.0}, "pid: want the number of a process, found 42.0"),
        ({"pid": 1 << 40}, "pid: want the number of a process, found 1099511627776"),
        ({"bundle": 1}, "bundle: want the path of a folder, found 1"),
        ({"bundle": "/a\0b"}, "bundle: want the path of a folder, found"),
        ({"annotations": []}, "annotations: want an object, found []"),
        ({"annotations": {"a": 1}}, "annotations: a: want a text, found 1"),
    ],
)
def test_a_wrong_key_of_the_state_is_named_with_its_value(keys: dict[str, Any], why: str) -> None:
    assert f"the state on stdin: {why}" in refused(lambda: state(**keys))


def test_config_json_tells_of_the_namespace() -> None:
    """A new one, one by path, or the host's."""

    def bundle(**keys: Any) -> Bundle:
        return oci_state.bundle(json.dumps(keys).encode(), "/b/config.json")

    others = [{"type": "pid"}, {"type": "mount", "path": "/other"}]
    assert bundle(linux={"namespaces": [*others, {"type": "network"}]}) == Bundle(True)
    there = {"type": "network", "path": "/run/netns/x"}
    assert bundle(linux={"namespaces": [there]}) == Bundle(False, "/run/netns/x")
    assert bundle(linux={"namespaces": others}) == Bundle(False)
    assert bundle(annotations=ASKED) == Bundle(False, "", ASKED)
    assert bundle(linux=None, annotations=None) == Bundle(False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "/b/config.json: want a JSON object, found nothing"),
        ("{", "/b/config.json: want a JSON object: "),
        ('{"linux": 1}', "/b/config.json: linux.namespaces: want a list of objects, found 1"),
        ('{"linux": {"namespaces": [1]}}', "linux.namespaces: want a list of objects, found [1]"),
        ('{"linux": {"namespaces": [{"type": "network", "path": 1}]}}', "path: want a path, found 1"),
        ('{"annotations": {"a": null}}', "/b/config.json: annotations: a: want a text, found null"),
    ],
)
def test_a_config_json_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    assert why in refused(oci_state.bundle, text.encode(), "/b/config.json")


def test_annotations_ask_for_what_the_command_line_does() -> None:
    """As --publish, --ip, --mac and --ifname do; several with commas, and blanks where people put them."""
    assert oci_state.asked({}) == ([], Wishes())
    assert oci_state.asked({"org.example": "x", "cniwired": "y"}) == ([], Wishes())
    assert oci_state.asked({"cniwire.networks": "demo, other"}) == (["demo", "other"], Wishes())
    names, wishes = oci_state.asked(
        {
            **ASKED,
            "cniwire.publish": "8080:80, 127.0.0.1:53:53/udp",
            "cniwire.ip": "10.0.0.7,fd00::7",
            "cniwire.mac": "02-00-00-00-00-01",
            "cniwire.ifname": "lan0",
        }
    )
    first = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
    second = {"hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"}
    assert (names, wishes) == (
        ["demo"],
        Wishes("lan0", (first, second), addresses=("10.0.0.7", "fd00::7"), mac="02:00:00:00:00:01"),
    )


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("networks", "", 'want a value, several with commas between, found ""'),
        ("networks", "demo,", 'want a value, several with commas between, found "demo,"'),
        ("networks", "demo,demo", 'want each network once, found "demo,demo"'),
        ("networks", "/etc/passwd", 'want names of networks, found "/etc/passwd"'),
        ("networks", "my.conflist", 'want names of networks, found "my.conflist"'),
        ("networks", "a b", 'want names of networks, found "a b"'),
        ("publish", "80:http", "want ports from 1 to 65535 instead of 'http'"),
        ("publish", "8080:80/icmp", "want one of tcp, udp, sctp"),
        ("ip", "10.0.0.256", "'10.0.0.256' does not appear to be an IPv4 or IPv6"),
        ("ip", "0.0.0.0", "'0.0.0.0' is no address for a container"),
        ("mac", "02:00", "invalid MAC '02:00'"),
        ("mac", "01:00:00:00:00:00", "invalid MAC '01:00:00:00:00:00'"),
        ("mac", "02:00:00:00:00:01,02:00:00:00:00:02", "want a single one"),
        ("ifname", "a,b", 'want a single one, found "a,b"'),
        ("network", "demo", "there is none of that name; did you mean cniwire.networks?"),
        ("whatever", "x", "there is none of that name; there are cniwire.networks, cniwire.publish"),
    ],
)
def test_a_wrong_annotation_is_named_with_its_value(key: str, text: str, why: str) -> None:
    said = refused(oci_state.asked, {f"cniwire.{key}": text})
    assert said.startswith(f"annotation cniwire.{key}: ")
    assert why in said
