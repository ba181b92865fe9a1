"""host-local from an empty directory to a full one and back, as the golden samples have it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.cni.protocol import respond
from core.cni.version import ALL, FAMILIES
from ipam import host_local


def call(
    folder: Path, command: str, container_id: str, version: str = "1.1.0", more: Mapping[str, Any] = {}
) -> tuple[int, Any]:
    ipam = {"type": "host-local", "dataDir": str(folder), "ranges": [[{"subnet": "10.7.0.0/29"}]]}
    stdin = json.dumps({"cniVersion": version, "name": "n1", "type": "bridge", "ipam": ipam, **more}).encode()
    environ = {
        "CNI_CONTAINERID": container_id,
        "CNI_NETNS": "/no/such/netns",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/no/such/path",
    }
    code, stdout = respond(host_local, {**environ, "CNI_COMMAND": command}, lambda: stdin)
    return code, json.loads(stdout) if stdout else None


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "n1").glob("[!.]*")}


def wanted(version: str) -> Any:
    if FAMILIES[version] == 0:
        return {"cniVersion": version, "ip4": {"ip": "10.7.0.2/29", "gateway": "10.7.0.1"}, "dns": {}}
    if FAMILIES[version] == 1:
        return {
            "cniVersion": version,
            "ips": [{"version": "4", "address": "10.7.0.2/29", "gateway": "10.7.0.1"}],
            "dns": {},
        }
    return {"cniVersion": version, "ips": [{"address": "10.7.0.2/29", "gateway": "10.7.0.1"}]}


@pytest.mark.parametrize("version", ALL)
def test_the_first_add_reserves_the_second_address(tmp_path: Path, version: str) -> None:
    """S-51, S-55, S-63, S-67, H-1."""
    assert call(tmp_path, "ADD", "c1", version) == (0, wanted(version))
    assert files(tmp_path) == {"10.7.0.2": b"c1\r\neth0", "last_reserved_ip.0": b"10.7.0.2", "lock": b""}


def test_five_addresses_fit_and_the_sixth_id_fails(tmp_path: Path) -> None:
    """H-1, H-24: and GC with nothing alive makes room."""
    for number in range(1, 6):
        code, result = call(tmp_path, "ADD", f"c{number}")
        assert (code, result["ips"]) == (0, [{"address": f"10.7.0.{number + 1}/29", "gateway": "10.7.0.1"}])
    full = files(tmp_path)
    code, error = call(tmp_path, "ADD", "c6")
    assert (code, error["code"]) == (1, 103)
    assert "no IP addresses available in range set: 10.7.0.1-10.7.0.6" in error["msg"]
    assert files(tmp_path) == full
    alive = [{"containerID": "c1", "ifname": "eth0"}]
    assert call(tmp_path, "GC", "", more={"cni.dev/valid-attachments": alive}) == (0, None)
    assert files(tmp_path) == {"10.7.0.2": b"c1\r\neth0", "last_reserved_ip.0": b"10.7.0.6", "lock": b""}
    assert call(tmp_path, "ADD", "c6")[1]["ips"][0]["address"] == "10.7.0.3/29"


def test_missing_variables_are_told_as_in_the_sample() -> None:
    """S-13, S-46."""
    code, stdout = respond(
        host_local, {"CNI_COMMAND": "ADD", "CNI_NETNS": "/x", "CNI_PATH": "/x"}, lambda: b""
    )
    assert (code, json.loads(stdout)) == (
        1,
        {
            "cniVersion": "1.1.0",
            "code": 4,
            "msg": "required env variables [CNI_CONTAINERID,CNI_IFNAME] missing",
        },
    )
