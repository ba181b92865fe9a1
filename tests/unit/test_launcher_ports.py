"""Published ports."""

from typing import Any

import pytest

from launcher.failures import UsageFailure
from launcher.ports import parse, shown


@pytest.mark.parametrize(
    ("text", "expected", "as_shown"),
    [
        ("8080:80", {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, "8080→80/tcp"),
        ("53:5353/udp", {"hostPort": 53, "containerPort": 5353, "protocol": "udp"}, "53→5353/udp"),
        ("9:9/sctp", {"hostPort": 9, "containerPort": 9, "protocol": "sctp"}, "9→9/sctp"),
        (
            "127.0.0.1:8080:80/tcp",
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"},
            "127.0.0.1:8080→80/tcp",
        ),
        (
            "[2001:db8::0001]:1:2",
            {"hostPort": 1, "containerPort": 2, "protocol": "tcp", "hostIP": "2001:db8::1"},
            "[2001:db8::1]:1→2/tcp",
        ),
        ("[::]:1:2", {"hostPort": 1, "containerPort": 2, "protocol": "tcp", "hostIP": "::"}, "[::]:1→2/tcp"),
        (
            "8000-8009:80-89",
            {"hostPort": 8000, "containerPort": 80, "protocol": "tcp", "range": 10},
            "8000-8009→80-89/tcp",
        ),
        (
            "10.0.0.1:8000-8001:1-2/udp",
            {"hostPort": 8000, "containerPort": 1, "protocol": "udp", "range": 2, "hostIP": "10.0.0.1"},
            "10.0.0.1:8000-8001→1-2/udp",
        ),
        ("5-5:6-6", {"hostPort": 5, "containerPort": 6, "protocol": "tcp"}, "5→6/tcp"),
        ("80", {"hostPort": 0, "containerPort": 80, "protocol": "tcp"}, "0→80/tcp"),
        (":80/udp", {"hostPort": 0, "containerPort": 80, "protocol": "udp"}, "0→80/udp"),
        (
            "127.0.0.1::80",
            {"hostPort": 0, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"},
            "127.0.0.1:0→80/tcp",
        ),
        (
            "[::1]::80",
            {"hostPort": 0, "containerPort": 80, "protocol": "tcp", "hostIP": "::1"},
            "[::1]:0→80/tcp",
        ),
        ("80-82", {"hostPort": 0, "containerPort": 80, "protocol": "tcp", "range": 3}, "0-2→80-82/tcp"),
        ("1:65535", {"hostPort": 1, "containerPort": 65535, "protocol": "tcp"}, "1→65535/tcp"),
    ],
)
def test_a_mapping_is_read_and_shown(text: str, expected: dict[str, Any], as_shown: str) -> None:
    assert parse(text) == expected
    assert shown(expected) == as_shown


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "ports from 1 to 65535 instead of ''"),
        (":", "ports from 1 to 65535 instead of ''"),
        ("127.0.0.1:80", "ports from 1 to 65535 instead of '127.0.0.1'"),
        ("80:80/", "one of tcp, udp, sctp"),
        ("80:80/icmp", "one of tcp, udp, sctp"),
        ("80:80/TCP", "one of tcp, udp, sctp"),
        ("0:80", "ports from 1 to 65535 instead of '0'"),
        ("80:65536", "ports from 1 to 65535 instead of '65536'"),
        ("80:", "ports from 1 to 65535 instead of ''"),
        ("80:-1", "ports from 1 to 65535 instead of '-1'"),
        ("80:a", "ports from 1 to 65535 instead of 'a'"),
        ("80:²", "ports from 1 to 65535"),
        ("90-80:90-80", "a range that does not run backwards instead of '90-80'"),
        ("1-3:1-2", "two ranges of equal length .they have 3 and 2 ports"),
        ("8000-8009:80", "two ranges of equal length .they have 10 and 1 ports"),
        ("localhost:80:80", "an IP address instead of 'localhost'"),
        ("300.1.1.1:80:80", "an IP address instead of '300.1.1.1'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageFailure, match=complaint) as caught:
        parse(text)
    assert caught.value.msg.startswith(f"-p {text}: want ")
    assert "for example -p 8080:80" in caught.value.hint


def test_mappings_of_other_runtimes_are_shown() -> None:
    """Ours have every key; libcni's cache may hold sparse ones."""
    assert shown({"hostPort": 1, "containerPort": 2}) == "1→2/tcp"
    assert (
        shown({"hostPort": 1, "containerPort": 2, "protocol": "", "hostIP": "", "range": None}) == "1→2/tcp"
    )
