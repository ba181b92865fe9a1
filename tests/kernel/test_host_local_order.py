"""In which order host-local gives addresses away: one after the other, round and round."""

from pathlib import Path

import pytest

from tests.harness.ipam import Ipam, refused

EXHAUSTED = 103


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
    plugins: Path,
    tmp_path: Path,
    ranges: list[dict[str, str]],
    taken: str,
    last: str,
    expected: str | None,
) -> None:
    """H-17, H-25."""
    ipam = Ipam(plugins / "host-local", tmp_path)
    ipam.ipam["ranges"] = [ranges]
    for name in taken.split():
        ipam.put(name, "other\r\neth0")
    if last:
        ipam.put("last_reserved_ip.0", last)
    if expected is None:
        assert refused(ipam.add)[0] == EXHAUSTED
    else:
        assert ipam.add()[0].partition("/")[0] == expected


def test_an_ipv6_range_is_never_walked(plugins: Path, tmp_path: Path) -> None:
    ipam = Ipam(plugins / "host-local", tmp_path, "2001:db8::/32")
    ipam.put("last_reserved_ip.0", "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe")
    got = [ipam.add(f"c{number}")[0] for number in range(3)]
    assert got == ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/32", "2001:db8::2/32", "2001:db8::3/32"]
