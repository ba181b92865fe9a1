"""libcni's result cache."""

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from core.errors import CNIError
from launcher.answers import resolv_conf
from launcher.cache import Cache, Cached
from launcher.failures import Failure
from launcher.request import Request
from launcher.topology import attachment
from launcher.wiring import document, summary

CONFIG = b'{"name":"net","plugins":[{"type":"bridge"}]}'
RESULT = {
    "cniVersion": "1.0.0",
    "ips": [{"address": "10.0.0.2/24", "interface": 0}],
    "interfaces": [{"name": "eth0", "sandbox": "/n"}],
    "x": 1,
}
REQUEST = Request(
    "c1",
    "eth0",
    "/run/netns/c1",
    (("K8S_POD", "p"),),
    {"portMappings": [{"hostPort": 80, "containerPort": 80}]},
)


def test_an_attachment_is_kept_in_the_form_that_libcni_reads(tmp_path: Path) -> None:
    """R-3, R-18: file name, modes, and every key."""
    Cache(str(tmp_path)).write("net", REQUEST, CONFIG, RESULT)
    path = tmp_path / "results" / "net-c1-eth0"
    assert os.listdir(tmp_path / "results") == ["net-c1-eth0"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {
        "kind": "cniCacheV1",
        "containerId": "c1",
        "config": base64.b64encode(CONFIG).decode(),
        "ifName": "eth0",
        "networkName": "net",
        "netns": "/run/netns/c1",
        "cniArgs": [["K8S_POD", "p"]],
        "capabilityArgs": {"portMappings": [{"hostPort": 80, "containerPort": 80}]},
        "result": RESULT,
    }


def test_configuration_and_arguments_can_be_read_back(tmp_path: Path) -> None:
    """R-18: config read-back, one file per attachment."""
    cache = Cache(str(tmp_path))
    other = Request("c1", "eth1", "/run/netns/c1")
    cache.write("net", REQUEST, CONFIG, RESULT)
    cache.write("net", other, CONFIG, RESULT)
    path = f"{tmp_path}/results/net-c1-eth0"
    assert cache.read("net", Request("c1", "eth0")) == Cached("net", REQUEST, CONFIG, RESULT, path)
    assert [cached.request for cached in cache.attachments()] == [REQUEST, other]
    cache.remove("net", REQUEST)
    assert [cached.request for cached in cache.attachments("c1")] == [other]
    assert cache.attachments("c2") == []


def test_a_missing_file_and_a_missing_directory_are_fine(tmp_path: Path) -> None:
    """R-18."""
    cache = Cache(str(tmp_path / "nowhere"))
    assert cache.read("net", REQUEST) is None
    assert cache.result("net", "1.0.0", REQUEST) is None
    assert cache.attachments() == []
    cache.remove("net", REQUEST)


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    """R-18: wrong kind; and such a file is no attachment."""
    cache = Cache(str(tmp_path))
    put(tmp_path, {"kind": "cniCacheV9"})
    with pytest.raises(Failure, match="wrong kind: want cniCacheV1, found 'cniCacheV9'"):
        cache.read("net", REQUEST)
    assert cache.attachments() == []


@pytest.mark.parametrize(
    ("network", "container_id", "ifname"), [("", "c1", "eth0"), ("net", "", "eth0"), ("net", "c1", "")]
)
def test_a_cache_file_needs_network_container_and_interface(
    tmp_path: Path, network: str, container_id: str, ifname: str
) -> None:
    """R-18."""
    with pytest.raises(Failure, match="needs network, container ID and interface name"):
        Cache(str(tmp_path)).read(network, Request(container_id, ifname))


def put(tmp_path: Path, content: Any) -> None:
    """Write the cache file of REQUEST: bytes as they are, anything else as JSON."""
    (tmp_path / "results").mkdir(exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / "results" / "net-c1-eth0").write_bytes(data)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        {"kind": "cniCacheV1"},
        {"kind": "cniCacheV1", "result": {"cniVersion": "9.9.9"}},
        {"ips": 3},
        {"kind": "cniCacheV1", "result": []},
    ],
)
def test_an_unusable_result_is_an_error(tmp_path: Path, content: Any) -> None:
    """R-10: bad cache."""
    put(tmp_path, content)
    with pytest.raises(CNIError):
        Cache(str(tmp_path)).result("net", "1.0.0", REQUEST)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        {"kind": "cniCacheV1"},
        {"kind": "cniCacheV1", "containerId": "c1", "ifName": "eth0", "networkName": "net", "config": "?"},
    ],
)
def test_a_damaged_file_is_no_attachment(tmp_path: Path, content: Any) -> None:
    """R-10: a bad entry stops nobody from seeing the others."""
    cache = Cache(str(tmp_path))
    put(tmp_path, content)
    cache.write("other", REQUEST, CONFIG, RESULT)
    assert [cached.network for cached in cache.attachments()] == ["other"]
    with pytest.raises(CNIError):
        cache.read("net", REQUEST)


def test_a_result_alone_as_old_runtimes_kept_it_is_understood(tmp_path: Path) -> None:
    """R-18: the older kind holds the bare result."""
    put(tmp_path, {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/24"}})
    assert Cache(str(tmp_path)).result("net", "0.2.0", REQUEST) == {
        "cniVersion": "0.2.0",
        "ip4": {"ip": "10.0.0.2/24"},
    }


def test_a_result_of_the_same_version_is_passed_on_whole(tmp_path: Path) -> None:
    """R-9: unknown keys included."""
    cache = Cache(str(tmp_path))
    cache.write("net", REQUEST, CONFIG, RESULT)
    assert cache.result("net", "1.0.0", REQUEST) == RESULT


def test_a_result_of_another_version_is_converted(tmp_path: Path) -> None:
    """R-11: cached version differs."""
    cache = Cache(str(tmp_path))
    cache.write(
        "net",
        REQUEST,
        CONFIG,
        {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1"}]},
    )
    converted = {
        "cniVersion": "0.4.0",
        "ips": [{"version": "4", "address": "10.0.0.2/24", "gateway": "10.0.0.1"}],
        "dns": {},
    }
    assert cache.result("net", "0.4.0", REQUEST) == converted
    oldest = {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/24", "gateway": "10.0.0.1"}, "dns": {}}
    assert cache.result("net", "0.2.0", REQUEST) == oldest


def test_a_result_that_cannot_be_converted_is_an_error(tmp_path: Path) -> None:
    """R-11: unconvertible."""
    cache = Cache(str(tmp_path))
    cache.write("net", REQUEST, CONFIG, {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}]})
    with pytest.raises(CNIError, match="cannot convert"):
        cache.result("net", "0.2.0", REQUEST)


def test_a_cache_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    """R-3: a file stands where the directory should be; nothing half-written stays."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot write the result cache .*: Not a directory") as caught:
        Cache(str(tmp_path / "file")).write("net", REQUEST, CONFIG, RESULT)
    assert caught.value.hint == "choose another directory with --cache-dir"
    (tmp_path / "results" / "net-c1-eth0" / "x").mkdir(parents=True)
    with pytest.raises(Failure, match="cannot write"):
        Cache(str(tmp_path)).write("net", REQUEST, CONFIG, RESULT)
    assert os.listdir(tmp_path / "results") == ["net-c1-eth0"]


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
