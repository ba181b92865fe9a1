"""Addresses that are asked for: the three ways to do so, and when it is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.ipam import Ipam, refused

UNAVAILABLE = 104
RANGE_0 = "failed to allocate for range 0: "


ARGS, CNI, RUNTIME = "CNI_ARGS", "args.cni", "runtimeConfig"


def add_asking(ipam: Ipam, way: str, *addresses: str) -> list[str]:
    """ADD that asks for *addresses* in one of the three ways."""
    if way == ARGS:
        return ipam.add(cni_args=f"IgnoreUnknown=1;K8S_POD_NAME=x;IP={','.join(addresses)}")
    keys: dict[str, Any] = (
        {"args": {"cni": {"ips": addresses}, "other": 1}}
        if way == CNI
        else {"runtimeConfig": {"ips": addresses, "other": 1}}
    )
    return ipam.add(**keys)


@pytest.mark.parametrize("way", [ARGS, CNI, RUNTIME])
@pytest.mark.parametrize("suffix", ["", "/24"])
def test_an_address_can_be_asked_for(small: Ipam, way: str, suffix: str) -> None:
    """H-8, H-20, H-30..H-34: with a prefix that is ignored, or without."""
    assert add_asking(small, way, f"10.7.0.4{suffix}") == ["10.7.0.4/29"]
    assert small.files() == {"10.7.0.4": "c1\r\neth0", "last_reserved_ip.0": "10.7.0.4"}


def test_all_three_ways_add_up(plugins: Path, tmp_path: Path) -> None:
    """H-9, H-10: in several sets, of both families."""
    ipam = Ipam(
        plugins / "host-local", tmp_path, "10.7.0.0/24", "10.8.0.0/24", "2001:db8::/64", "10.9.0.0/24"
    )
    keys = {"args": {"cni": {"ips": ["10.8.0.88"]}}, "runtimeConfig": {"ips": ["10.7.0.77/8", "10.8.0.88"]}}
    got = ipam.good("ADD", cni_args="IP=2001:db8::99", **keys)
    assert [ip["address"] for ip in got["ips"]] == [
        "10.7.0.77/24",
        "10.8.0.88/24",
        "2001:db8::99/64",
        "10.9.0.2/24",
    ]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        # H-21
        (
            "10.7.0.3",
            f"{RANGE_0}requested IP address 10.7.0.3 is not available in range set 10.7.0.1-10.7.0.6",
        ),
        ("10.7.0.1", f"{RANGE_0}requested ip 10.7.0.1 is subnet's gateway"),
        ("10.7.0.7", "failed to allocate all requested IPs: 10.7.0.7"),  # H-22
        ("10.7.0.0", "failed to allocate all requested IPs: 10.7.0.0"),  # H-23
        ("2001:db8::1", "failed to allocate all requested IPs: 2001:db8::1"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused(small: Ipam, address: str, said: str) -> None:
    """H-11, H-21..H-23: and nothing is reserved."""
    small.put("10.7.0.3", "other\r\neth0")
    before = small.files()
    assert refused(add_asking, small, RUNTIME, address) == (UNAVAILABLE, said)
    assert small.files() == before


def test_the_holder_of_a_wanted_address_is_named(small: Ipam) -> None:
    """H-21."""
    small.add("other", runtimeConfig={"ips": ["10.7.0.3"]})
    assert (
        small.call("ADD", runtimeConfig={"ips": ["10.7.0.3"]}).output["details"]
        == "it is reserved for other eth0"
    )


def test_a_set_gives_one_address_only(plugins: Path, tmp_path: Path) -> None:
    """H-11: what nobody used is an error, and nothing stays reserved."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/24", "10.8.0.0/24")
    assert refused(add_asking, ipam, CNI, "10.7.0.7", "10.7.0.8") == (
        UNAVAILABLE,
        "failed to allocate all requested IPs: 10.7.0.8",
    )
    assert ipam.files() == {}


def test_a_failure_in_a_later_set_undoes_this_run_alone(plugins: Path, tmp_path: Path) -> None:
    """H-11: what the attachment had before stays."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/24", "10.8.0.0/30")
    ipam.put("10.8.0.2", "other\r\neth0")
    ipam.put("10.66.0.1", "c1\r\neth0")
    before = ipam.files()
    assert (
        refused(ipam.add)[1]
        == "failed to allocate for range 1: no IP addresses available in range set: 10.8.0.1-10.8.0.2"
    )
    assert ipam.files() == before


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ("IP=10.7.0.9.9", 4, "CNI_ARGS: IP: want an IP address, found '10.7.0.9.9'"),
        ("IP=10.7.0.3;", 4, "CNI_ARGS: want KEY=VALUE, found '' in 'IP=10.7.0.3;'"),
        ("POD=x", 4, "CNI_ARGS: unknown keys POD"),
    ],
)
def test_wrong_cni_args_are_refused(small: Ipam, args: str, code: int, said: str) -> None:
    """H-30."""
    assert refused(small.good, "ADD", cni_args=args) == (code, said)
    assert small.files() == {}
    small.good("DEL", cni_args=args)
