"""What other runtimes keep of their attachments: read by ls, check and gc, whatever shape it has."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.host import Host


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    """The launcher with a network `demo`: bridge, host-local and portmap."""
    made = Cniwire(host, host.plugins)
    ipam = {"type": "host-local", "dataDir": str(host.data), "ranges": [[{"subnet": "10.9.0.0/24"}]]}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    made.network(
        "demo",
        {"type": "bridge", "bridge": "br0", "isDefaultGateway": True, "ipam": ipam},
        portmap,
        version="1.1.0",
    )
    yield made
    made.close()


def kept(cniwire: Cniwire, container_id: str) -> Path:
    """The cache file of a container on demo."""
    return cniwire.cache / "results" / f"demo-{container_id}-eth0"


def without(path: Path, *keys: str) -> dict[str, Any]:
    """Take keys out of a cache file; returns what is left."""
    values: dict[str, Any] = {
        key: value for key, value in json.loads(path.read_text()).items() if key not in keys
    }
    path.write_text(json.dumps(values))
    return values


def test_podmans_files_tell_the_namespace_in_the_result(cniwire: Cniwire) -> None:
    """No key netns, and CHECK and ls work all the same."""
    web = cniwire.name("web")
    cniwire("up", "demo", web, "-p", "8080:80")
    without(kept(cniwire, web), "netns")
    assert [row["check"] for row in cniwire.json("check")["attachments"]] == ["ok"]
    (shown,) = cniwire.json("ls")["networks"][0]["attachments"]
    assert (shown["state"], shown["netns"]) == ("up", f"/run/netns/{web}")


def test_multus_directory_is_read_by_option(cniwire: Cniwire, tmp_path: Path) -> None:
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    (tmp_path / "multus").mkdir()
    (cniwire.cache / "results").rename(tmp_path / "multus" / "results")
    assert cniwire.json("check")["attachments"] == []
    option = ("--read-cache", str(tmp_path / "multus"))
    assert [row["check"] for row in cniwire.json(*option, "check")["attachments"]] == ["ok"]
    assert [row["containerID"] for row in cniwire.json(*option, "ls")["networks"][0]["attachments"]] == [web]
    assert f"{web}/eth0" in cniwire(*option, "ls")


@pytest.fixture
def long_numbers() -> Iterator[None]:
    """Let the test itself read numbers of 5,000 digits."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.usefixtures("long_numbers")
def test_hostile_files_stop_nobody(cniwire: Cniwire) -> None:
    """FIFO, folder, no JSON, missing keys, numbers of 5,000 digits, names with newlines.

    The good file is shown, and the document stays JSON.
    """
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    results, digits = cniwire.cache / "results", "7" * 5000
    os.mkfifo(results / "fifo")
    (results / "folder").mkdir()
    (results / "text").write_text("no JSON")
    (results / "keys").write_text('{"kind": "cniCacheV1", "networkName": "demo"}')
    names = '"kind": "cniCacheV1", "networkName": "demo", "ifName": "eth0"'
    mapping = f'{{"hostPort": {digits}, "containerPort": 1e999, "range": {digits}}}'
    mappings = f'{{"portMappings": [{mapping}, {digits}, null]}}'
    (results / "digits").write_text(
        f'{{{names}, "containerId": "digits", "capabilityArgs": {mappings}, "result": {{"ips": [{digits}]}}}}'
    )
    (results / "lines").write_text(f'{{{names}, "containerId": "a\\nb", "netns": "/run/netns/\\u0000"}}')
    shown = {row["containerID"]: row["state"] for row in cniwire.json("ls")["networks"][0]["attachments"]}
    assert shown.pop(web) == "up"
    assert len(shown) == 2
    cniwire("ls")
    rows = {row["containerID"]: row["check"] for row in cniwire.json("check", status=1)["attachments"]}
    assert rows.pop(web) == "ok"
    assert set(rows.values()) == {"failed"}


def test_check_and_ls_tell_of_a_mapping_that_is_not_served(cniwire: Cniwire) -> None:
    """Of ::1, which portmap leaves out and CHECK does not miss; the other one is published."""
    web = cniwire.name("web")
    with cniwire.popen("up", "demo", web, "-p", "[::1]:8080:80", "-p", "127.0.0.1:8080:80") as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "published 127.0.0.1:8080→80/tcp" in stdout + stderr
    reason = "the kernel lets no answer back to ::1; 127.0.0.1 works"
    assert f"[::1]:8080→80/tcp is not served: {reason}" in cniwire("check")
    (row,) = cniwire.json("check")["attachments"]
    assert (row["check"], row["notServed"]) == ("ok", [{"mapping": "[::1]:8080→80/tcp", "reason": reason}])
    assert f"[::1]:8080→80/tcp not served: {reason}" in cniwire("ls")
