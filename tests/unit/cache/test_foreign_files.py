"""The result cache, with files that other runtimes wrote and that may hold anything."""

import os
from pathlib import Path
from typing import Any

import pytest

from launcher.answers import resolv_conf
from launcher.cache import Cache
from launcher.failures import Failure
from launcher.request import Request
from launcher.topology import attachment
from launcher.wiring import document, summary
from tests.unit.cache.files import CONFIG, REQUEST, RESULT, put


def test_a_result_alone_as_old_runtimes_kept_it_is_understood(tmp_path: Path) -> None:
    """R-18: the older kind holds the bare result."""
    put(tmp_path, {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/24"}})
    assert Cache(str(tmp_path)).result("net", "0.2.0", REQUEST) == {
        "cniVersion": "0.2.0",
        "ip4": {"ip": "10.0.0.2/24"},
    }


NAMES = {"kind": "cniCacheV1", "containerId": "c1", "ifName": "eth0", "networkName": "net"}
DIGITS = b"9" * 5000


@pytest.mark.parametrize(
    ("result", "path"),
    [
        ({"interfaces": [{"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/c1"}]}, "/run/netns/c1"),
        (
            {
                "interfaces": [
                    {"name": "lo", "sandbox": "/n/lo"},
                    {"name": "eth0", "sandbox": "/run/netns/c1"},
                ]
            },
            "/run/netns/c1",
        ),
        ({"interfaces": [{"name": "net1", "sandbox": "/run/netns/c1"}]}, "/run/netns/c1"),
        ({"interfaces": [{"name": "eth0", "sandbox": "relative"}, 3, None, {"sandbox": []}]}, ""),
        ({"interfaces": {"name": "eth0"}}, ""),
        ({}, ""),
    ],
)
def test_a_file_without_the_key_netns_tells_the_path_in_its_result(
    tmp_path: Path, result: Any, path: str
) -> None:
    """As Podman's libcni, and every one before 1.2, writes it."""
    put(tmp_path, {**NAMES, "result": result})
    (found,) = Cache(str(tmp_path)).attachments()
    assert found.request == Request("c1", "eth0", path)


def test_caches_of_other_runtimes_are_read_as_well(tmp_path: Path) -> None:
    """Multus keeps its own in /var/lib/cni/multus.

    An attachment that is in both counts once; what is forgotten is gone from there.
    """
    multus = Cache(str(tmp_path / "multus"))
    multus.write("net", REQUEST, CONFIG, RESULT)
    multus.write("second", REQUEST, CONFIG, RESULT)
    cache = Cache(str(tmp_path), str(tmp_path / "multus"), str(tmp_path / "nowhere"))
    cache.write("net", REQUEST, CONFIG, RESULT)
    assert [(found.network, found.path) for found in cache.attachments()] == [
        ("net", f"{tmp_path}/results/net-c1-eth0"),
        ("second", f"{tmp_path}/multus/results/second-c1-eth0"),
    ]
    assert cache.result("second", "1.0.0", REQUEST) == RESULT
    cache.remove("second", REQUEST)
    assert [found.network for found in multus.attachments()] == ["net"]


@pytest.mark.parametrize("key", ["networkName", "containerId", "ifName"])
@pytest.mark.parametrize("value", [None, "", 3, ["c1"], {"c1": 1}])
def test_a_file_whose_names_are_no_text_is_no_attachment(tmp_path: Path, key: str, value: Any) -> None:
    put(tmp_path, {**NAMES, key: value})
    assert Cache(str(tmp_path)).attachments() == []


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "dangling", "huge"])
def test_what_is_no_file_is_passed_over_at_once(tmp_path: Path, kind: str) -> None:
    """A FIFO is not waited for, a device not read to its end."""
    cache = Cache(str(tmp_path))
    cache.write("other", REQUEST, CONFIG, RESULT)
    path = tmp_path / "results" / "net-c1-eth0"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to({"device": "/dev/zero", "dangling": "/nowhere"}[kind])
    assert [found.network for found in cache.attachments()] == ["other"]
    for ask in (lambda: cache.read("net", REQUEST), lambda: cache.result("net", "1.0.0", REQUEST)):
        if kind == "dangling":
            assert ask() is None
        else:
            with pytest.raises(Failure, match="cannot read the result cache"):
                ask()


ODD_MAPPINGS = (
    b"3",
    b'[3, null, {}, {"hostPort": %b, "containerPort": "x", "range": %b}]' % (DIGITS, DIGITS),
    b'[{"hostPort": 1e999, "range": -1, "hostIP": {"a": 1}, "protocol": []}]',
)
ODD_RESULTS = (
    b'"cniVersion": "1.0.0", "interfaces": [{"name": %b, "sandbox": %b}, []]' % (DIGITS, DIGITS),
    b'"cniVersion": "1.0.0", "ips": [%b]' % DIGITS,
    b'"ips": [{"address": 3}, {}, null], "ip4": 3, "ip6": {"ip": []}',
    b'"dns": {"nameservers": 3, "domain": [], "search": [1]}',
    b'"dns": []',
)


@pytest.mark.parametrize(
    "odd",
    [
        b'"netns": 3',
        b'"netns": ["/run/netns/c1"]',
        *[b'"capabilityArgs": {"portMappings": %b}' % each for each in ODD_MAPPINGS],
        *[b'"result": {%b}' % each for each in ODD_RESULTS],
    ],
)
def test_a_file_that_names_an_attachment_is_one_whatever_else_it_says(tmp_path: Path, odd: bytes) -> None:
    """Who lives is told by the names; what is shown of the rest is what can be read."""
    put(
        tmp_path,
        b'{"kind": "cniCacheV1", "containerId": "c1", "ifName": "eth0", "networkName": "net", %b}' % odd,
    )
    (found,) = Cache(str(tmp_path)).attachments()
    assert found.key == ("c1", "eth0")
    assert found.request.netns == ""
    assert "no address" in summary(found, "web/eth0")
    assert attachment(found, {}, {})["state"] == "unreadable"
    assert resolv_conf([found.result]) == ""
    assert document(found)["containerID"] == "c1"
