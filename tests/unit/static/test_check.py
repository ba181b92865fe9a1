"""static's CHECK and STATUS, and what DEL and GC do not do."""

import json

import pytest

from core.errors import CHECK_FAILED
from tests.unit.static.cases import GO, V4, V6, Keys, go, ipam, ours


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([V4, V6], ""),
        ([{"address": "10.9.0.1/8"}, V6, V4], ""),
        ([V4], "prevResult lacks an address: want fd00::5/64, found 10.1.0.5/24"),
        ([], "prevResult lacks an address: want 10.1.0.5/24, found none"),
        ([{**V4, "address": "10.1.0.5/16"}, V6], "want 10.1.0.5/24, found 10.1.0.5/16"),
        (
            [{**V4, "gateway": "10.1.0.2"}, V6],
            "prevResult has another gateway for 10.1.0.5/24: want 10.1.0.1, found 10.1.0.2",
        ),
        ([{"address": "10.1.0.5/24"}, V6], "for 10.1.0.5/24: want 10.1.0.1, found none"),
    ],
)
@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_check_compares_addresses_and_gateways(version: str, listed: list[Keys], said: str) -> None:
    """N-1: the Go plugin is content where an address is missing; what it refuses we refuse."""
    keys = {**ipam(V4, V6), "prevResult": {"cniVersion": version, "ips": listed}}
    code, error = ours("CHECK", version, keys)
    assert code == bool(said)
    if said:
        assert (error["code"], said in error["msg"]) == (CHECK_FAILED, True), error
    if GO.exists() and version != "1.1.0" and go("CHECK", version, keys)[0]:
        assert code == 1


def test_check_needs_a_result_and_tells_every_difference() -> None:
    """N-1. A gateway that the main plugin has chosen, where none was asked for, is none."""
    assert ours("CHECK", "1.1.0", ipam(V4))[1]["msg"] == "prevResult: CHECK needs it"
    code, error = ours("CHECK", "1.1.0", {**ipam(V4, V6), "prevResult": {}})
    assert (code, error["code"], error["details"]) == (
        1,
        CHECK_FAILED,
        "prevResult lacks an address: want fd00::5/64, found none",
    )
    chosen = {**ipam({"address": "10.1.0.5/24"}), "prevResult": {"ips": [V4]}}
    assert ours("CHECK", "1.1.0", chosen) == (0, None)
    by_args = {"ipam": {}, "prevResult": {"ips": [V4]}}
    assert ours("CHECK", "1.1.0", by_args, "IP=10.1.0.5/24;GATEWAY=10.1.0.1") == (0, None)
    assert ours("CHECK", "1.1.0", by_args, "IP=10.1.0.5/24;GATEWAY=10.1.0.2")[1]["code"] == CHECK_FAILED


def test_status_is_good_where_a_runtime_gives_the_addresses() -> None:
    """N-1: it gives them to ADD alone, and CNI_ARGS are no part of STATUS."""
    assert ours("STATUS", "1.1.0", {"ipam": {}}, "K=V") == (0, None)


@pytest.mark.parametrize("keys", [ipam(V4), ipam({"address": "x"}), {"ipam": 7}, {}], ids=json.dumps)
def test_del_and_gc_have_nothing_to_do(keys: Keys) -> None:
    """N-1: whatever the configuration says; DEL of an unknown container too."""
    for command in ("DEL", "GC"):
        assert ours(command, "1.1.0", {**keys, "cni.dev/valid-attachments": []}, "K=V") == (0, None)
