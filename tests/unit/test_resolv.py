"""resolv.conf as dns."""

from pathlib import Path

import pytest

from core.errors import INVALID_CONFIG, CNIError
from ipam.host_local import resolv


def test_one_of_each() -> None:
    """H-54."""
    assert resolv.parse(
        "nameserver 192.0.2.1\ndomain example.com\nsearch a.example b.example\noptions one two\n"
    ) == {
        "nameservers": ["192.0.2.1"],
        "domain": "example.com",
        "search": ["a.example", "b.example"],
        "options": ["one", "two"],
    }


def test_lines_add_up_and_comments_do_not() -> None:
    """H-54."""
    comments = "# nameserver 192.0.2.9\n;domain no\n\n \t# x\n"
    servers = " nameserver\t192.0.2.0 192.0.2.8\nnameserver 192.0.2.1\n"
    text = f"{comments}{servers}search a\nsearch b\ndomain x\ndomain y\noptions\nsortlist 1\n"
    assert resolv.parse(text) == {
        "nameservers": ["192.0.2.0", "192.0.2.1"],
        "search": ["a", "b"],
        "domain": "y",
    }


def test_nothing_is_no_dns() -> None:
    assert resolv.parse("") == {}


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CNIError) as caught:
        resolv.read(f"{tmp_path}/none")
    assert (caught.value.code, caught.value.msg) == (
        INVALID_CONFIG,
        f"ipam.resolvConf: cannot read {tmp_path}/none: No such file or directory",
    )
