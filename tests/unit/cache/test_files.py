"""The result cache: what is written, and read back."""

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from core.errors import CNIError
from launcher.cache import Cache, Cached
from launcher.failures import Failure
from launcher.request import Request
from tests.unit.cache.files import CONFIG, REQUEST, RESULT, put


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
