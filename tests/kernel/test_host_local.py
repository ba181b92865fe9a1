"""host-local: ADD and DEL, the files that it leaves, and what a configuration may ask of them."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.ipam import Ipam, refused

UNAVAILABLE = 104
RANGE_0 = "failed to allocate for range 0: "


@pytest.fixture
def small(plugins: Path, tmp_path: Path) -> Ipam:
    """Five addresses: .2 to .6."""
    return Ipam(plugins / "host-local", tmp_path, "10.7.0.0/29")


def test_one_address_of_each_set_with_routes_and_files(plugins: Path, tmp_path: Path) -> None:
    """H-1, H-7."""
    routes = [
        {"dst": "0.0.0.0/0"},
        {"dst": "192.168.0.0/16", "gw": "1.1.1.1"},
        {"dst": "2001:db8:2::/64", "gw": "2001:db8:3::1"},
    ]
    ipam = Ipam(plugins / "host-local", tmp_path, routes=routes)
    ipam.ipam["ranges"] = [
        [{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}],
        [{"subnet": "2001:db8:1::/64"}],
    ]
    answer = ipam.call("ADD")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.output == {
        "cniVersion": "1.0.0",
        "ips": [
            {"address": "10.1.2.2/24", "gateway": "10.1.2.1"},
            {"address": "2001:db8:1::2/64", "gateway": "2001:db8:1::1"},
        ],
        "routes": routes,
    }
    last = {"last_reserved_ip.0": "10.1.2.2", "last_reserved_ip.1": "2001:db8:1::2"}
    assert ipam.files() == {"10.1.2.2": "c1\r\neth0", "2001:db8:1::2": "c1\r\neth0", **last}
    assert {path.name: path.stat().st_mode & 0o777 for path in ipam.folder.iterdir()} == {
        **dict.fromkeys((*ipam.files(), ".index"), 384),
        "lock": 0o750,
    }
    assert ipam.folder.stat().st_mode & 0o777 == 0o755
    ipam.delete()
    assert ipam.files() == last


@pytest.mark.parametrize(
    ("version", "shape"),
    [
        ("0.2.0", {"ip4": {"ip": "10.7.0.2/29", "gateway": "10.7.0.1"}, "dns": {}}),
        ("0.4.0", {"ips": [{"version": "4", "address": "10.7.0.2/29", "gateway": "10.7.0.1"}], "dns": {}}),
        ("1.1.0", {"ips": [{"address": "10.7.0.2/29", "gateway": "10.7.0.1"}]}),
    ],
)
def test_the_result_has_the_shape_of_its_version(small: Ipam, version: str, shape: dict[str, Any]) -> None:
    """H-1."""
    small.version = version
    assert small.good("ADD") == {"cniVersion": version, **shape}


def test_two_interfaces_of_a_container_have_two_addresses(small: Ipam) -> None:
    """H-2."""
    assert (small.add("c1", "eth0"), small.add("c1", "eth1")) == (["10.7.0.2/29"], ["10.7.0.3/29"])
    small.delete("c1", "eth0")
    assert small.reserved() == {"10.7.0.3": "c1\r\neth1"}


def test_a_second_add_is_refused(small: Ipam) -> None:
    """H-3."""
    said = f"{RANGE_0}10.7.0.2 has been allocated to c1, duplicate allocation is not allowed"
    second = (UNAVAILABLE, said)
    small.add("c1")
    assert refused(small.add, "c1") == second
    assert small.add("c2") == ["10.7.0.3/29"]
    before = small.files()
    assert refused(small.add, "c1") == second
    assert small.files() == before
    small.delete("c1")
    assert small.add("c1") == ["10.7.0.4/29"]


def test_a_legacy_file_counts_and_is_freed(small: Ipam) -> None:
    """H-4."""
    small.put("10.7.0.2", "c1")
    assert refused(small.add, "c1", "eth0")[0] == refused(small.add, "c1", "eth9")[0] == UNAVAILABLE
    small.delete("c1", "eth5")
    assert small.reserved() == {}


def test_legacy_files_stay_while_there_is_one_of_the_interface(small: Ipam) -> None:
    """H-4."""
    small.put("10.7.0.2", "c1")
    small.put("10.7.0.3", "c1\r\neth0")
    small.delete("c1", "eth0")
    assert small.reserved() == {"10.7.0.2": "c1"}


def test_del_of_the_unknown_is_success(small: Ipam) -> None:
    """H-5: also without a directory, which then is not made."""
    small.delete("nobody")
    assert not small.folder.exists()
    small.add("c1")
    before = small.files()
    small.delete("nobody")
    small.delete("c1", "eth9")
    assert small.files() == before


def test_white_space_round_the_content_is_ignored(small: Ipam) -> None:
    """H-6."""
    small.put("10.7.0.2", " c1\r\neth0\r\n\n")
    small.put("10.7.0.3", "\nc2 \n")
    assert refused(small.add, "c1")[0] == UNAVAILABLE
    small.delete("c1")
    small.delete("c2")
    assert small.reserved() == {}


def test_ranges_of_the_runtime_and_the_old_single_range(plugins: Path, tmp_path: Path) -> None:
    """H-27, H-29."""
    ipam = Ipam(
        plugins / "host-local",
        tmp_path,
        "10.3.0.0/24",
        subnet="10.2.0.0/24",
        rangeStart="10.2.0.50",
        gateway="10.2.0.254",
    )
    assert ipam.add(runtimeConfig={"ipRanges": [[{"subnet": "10.1.0.0/24"}]]}) == [
        "10.1.0.2/24",
        "10.2.0.50/24",
        "10.3.0.2/24",
    ]


def test_dns_comes_from_resolv_conf(small: Ipam, tmp_path: Path) -> None:
    """H-54."""
    (tmp_path / "resolv.conf").write_text("# x\nnameserver 192.0.2.1\nsearch a b\n")
    small.ipam["resolvConf"] = str(tmp_path / "resolv.conf")
    assert small.good("ADD")["dns"] == {"nameservers": ["192.0.2.1"], "search": ["a", "b"]}


def test_del_needs_no_valid_ranges(small: Ipam) -> None:
    """H-60."""
    for broken in (
        {"ranges": "rubbish"},
        {"ranges": [[{"subnet": "10.7.0.1/29"}]]},
        {"routes": 7, "resolvConf": "/none"},
    ):
        small.add()
        small.delete(ipam={"dataDir": str(small.data), **broken}, cni_args="rubbish", prevResult=7)
        assert small.reserved() == {}


def test_del_frees_what_another_configuration_gave(small: Ipam) -> None:
    """H-60."""
    small.add()
    small.ipam["ranges"] = [[{"subnet": "192.168.0.0/24"}]]
    small.delete()
    assert small.reserved() == {}


def test_del_with_a_data_dir_that_is_no_path(small: Ipam) -> None:
    """H-60: nothing can have been reserved there."""
    small.delete(ipam={"dataDir": 7})
    small.delete(ipam=7)
