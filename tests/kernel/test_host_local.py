"""host-local: ADD and DEL, the files it leaves, the order of addresses, and the three ways to ask for one."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.ipam import Ipam
from tests.harness.plugin import PluginError

UNAVAILABLE, EXHAUSTED = 104, 103
RANGE_0 = "failed to allocate for range 0: "


@pytest.fixture
def executable(plugins: Path) -> Path:
    return plugins / "host-local"


@pytest.fixture
def small(executable: Path, tmp_path: Path) -> Ipam:
    """Five addresses: .2 to .6."""
    return Ipam(executable, tmp_path, "10.7.0.0/29")


def refused(call: Any, *words: Any, **keys: Any) -> tuple[int | None, str]:
    with pytest.raises(PluginError) as caught:
        call(*words, **keys)
    return caught.value.code, caught.value.msg


def test_one_address_of_each_set_with_routes_and_files(executable: Path, tmp_path: Path) -> None:
    """H-1, H-7."""
    routes = [
        {"dst": "0.0.0.0/0"},
        {"dst": "192.168.0.0/16", "gw": "1.1.1.1"},
        {"dst": "2001:db8:2::/64", "gw": "2001:db8:3::1"},
    ]
    ipam = Ipam(executable, tmp_path, routes=routes)
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


def test_addresses_are_consecutive_then_exhausted(small: Ipam) -> None:
    """H-14, H-18, H-19, H-24: no gateway, no broadcast; the error tells range, counts and first owner."""
    assert [small.add(f"c{number}") for number in range(5)] == [
        [f"10.7.0.{host}/29"] for host in (2, 3, 4, 5, 6)
    ]
    before = small.files()
    answer = small.call("ADD", "c6")
    assert answer.exit_code == 1
    assert answer.output["code"] == EXHAUSTED
    assert (
        answer.output["msg"]
        == "failed to allocate for range 0: no IP addresses available in range set: 10.7.0.1-10.7.0.6"
    )
    details = f"5 of 5 addresses are reserved in {small.folder}; next in turn: 10.7.0.2 (c0 eth0) since "
    assert answer.output["details"].startswith(details)
    assert answer.stderr == ""
    assert small.files() == before
    small.delete("c3")
    assert small.add("c6") == ["10.7.0.5/29"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, "10.7.0.2"),  # H-26
        ("10.7.0.6", "10.7.0.2"),  # H-15
        ("10.7.0.3", "10.7.0.4"),  # H-16
        ("10.7.0.1", "10.7.0.2"),
        ("10.7.0.0", "10.7.0.2"),  # in none of the ranges
        ("10.9.0.3", "10.7.0.2"),
        ("2001:db8::1", "10.7.0.2"),
        ("", "10.7.0.2"),
        ("rubbish", "10.7.0.2"),
        ("\0" * 9, "10.7.0.2"),
        ("10.7.0.4\n", "10.7.0.5"),
        ("x" * 100_000, "10.7.0.2"),
    ],
)
def test_the_walk_goes_on_behind_the_last_address(small: Ipam, last: str | None, expected: str) -> None:
    """H-15, H-16, H-26; rubbish is ignored."""
    if last is not None:
        small.put("last_reserved_ip.0", last)
    answer = small.call("ADD")
    assert (answer.output["ips"][0]["address"], answer.stderr) == (f"{expected}/29", "")
    assert small.files()["last_reserved_ip.0"] == expected


@pytest.mark.parametrize(
    ("ranges", "taken", "last", "expected"),
    [
        ([{"subnet": "10.0.0.0/29"}], "", "", "10.0.0.2"),
        ([{"subnet": "10.0.0.0/30"}], "", "", "10.0.0.2"),
        ([{"subnet": "10.0.0.0/29"}], "10.0.0.2 10.0.0.3", "10.0.0.1", "10.0.0.4"),
        ([{"subnet": "10.0.0.0/29"}], "10.0.0.4 10.0.0.5 10.0.0.6", "10.0.0.3", "10.0.0.2"),
        ([{"subnet": "10.0.0.0/29", "gateway": "10.0.0.3"}], "10.0.0.1 10.0.0.2", "10.0.0.2", "10.0.0.4"),
        ([{"subnet": "10.0.0.0/29", "gateway": "10.0.0.6"}], "10.0.0.5", "10.0.0.4", "10.0.0.1"),
        # From a full first range into the second, and back.
        ([{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}], "10.0.0.2", "10.0.0.2", "10.0.1.2"),
        ([{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}], "10.0.1.2", "10.0.1.2", "10.0.0.2"),
        ([{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/29"}], "10.0.0.2 10.0.1.5", "10.0.1.4", "10.0.1.6"),
        ([{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}], "10.0.0.2 10.0.1.2", "10.0.0.2", None),
        # The last address itself comes last.
        ([{"subnet": "10.0.0.0/29"}], "10.0.0.2 10.0.0.3 10.0.0.5 10.0.0.6", "10.0.0.4", "10.0.0.4"),
        ([{"subnet": "2001:db8::/126"}], "2001:db8::2", "2001:db8::2", "2001:db8::3"),
        ([{"subnet": "2001:db8::/64", "rangeStart": "2001:db8::ff"}], "2001:db8::ff", "", "2001:db8::100"),
    ],
)
def test_round_robin(
    executable: Path,
    tmp_path: Path,
    ranges: list[dict[str, str]],
    taken: str,
    last: str,
    expected: str | None,
) -> None:
    """H-17, H-25."""
    ipam = Ipam(executable, tmp_path)
    ipam.ipam["ranges"] = [ranges]
    for name in taken.split():
        ipam.put(name, "other\r\neth0")
    if last:
        ipam.put("last_reserved_ip.0", last)
    if expected is None:
        assert refused(ipam.add)[0] == EXHAUSTED
    else:
        assert ipam.add()[0].partition("/")[0] == expected


def test_an_ipv6_range_is_never_walked(executable: Path, tmp_path: Path) -> None:
    ipam = Ipam(executable, tmp_path, "2001:db8::/32")
    ipam.put("last_reserved_ip.0", "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe")
    got = [ipam.add(f"c{number}")[0] for number in range(3)]
    assert got == ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/32", "2001:db8::2/32", "2001:db8::3/32"]


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


def test_all_three_ways_add_up(executable: Path, tmp_path: Path) -> None:
    """H-9, H-10: in several sets, of both families."""
    ipam = Ipam(executable, tmp_path, "10.7.0.0/24", "10.8.0.0/24", "2001:db8::/64", "10.9.0.0/24")
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


def test_a_set_gives_one_address_only(executable: Path, tmp_path: Path) -> None:
    """H-11: what nobody used is an error, and nothing stays reserved."""
    ipam = Ipam(executable, tmp_path, "10.7.0.0/24", "10.8.0.0/24")
    assert refused(add_asking, ipam, CNI, "10.7.0.7", "10.7.0.8") == (
        UNAVAILABLE,
        "failed to allocate all requested IPs: 10.7.0.8",
    )
    assert ipam.files() == {}


def test_a_failure_in_a_later_set_undoes_this_run_alone(executable: Path, tmp_path: Path) -> None:
    """H-11: what the attachment had before stays."""
    ipam = Ipam(executable, tmp_path, "10.7.0.0/24", "10.8.0.0/30")
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


def test_ranges_of_the_runtime_and_the_old_single_range(executable: Path, tmp_path: Path) -> None:
    """H-27, H-29."""
    ipam = Ipam(
        executable,
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
