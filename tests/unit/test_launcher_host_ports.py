"""Host ports that are left to us."""

import socket
from typing import Any

import pytest

from launcher import host_ports
from launcher.cache import Cached
from launcher.failures import Failure
from launcher.host_ports import chosen
from launcher.request import Request


def wanted(*mappings: dict[str, Any]) -> Request:
    return Request(
        "web",
        "eth0",
        capability_args={"portMappings": [{"protocol": "tcp", **mapping} for mapping in mappings]},
    )


def ports(request: Request) -> list[int]:
    return [mapping["hostPort"] for mapping in request.capability_args["portMappings"]]


def nobody() -> list[Cached]:
    return []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> range:
    """Client ports are 40000 to 40009 alone, and nobody listens on them."""
    monkeypatch.setattr(host_ports, "client_ports", lambda: (40000, 40009))
    monkeypatch.setattr(host_ports, "is_free", lambda protocol, port, host_ip: True)
    return range(40000, 40010)


def test_what_has_its_ports_is_left_alone() -> None:
    for request in (wanted(), wanted({"hostPort": 80, "containerPort": 80}), Request("web", "eth0")):
        assert chosen(request, nobody) is request


def test_every_mapping_gets_a_port_of_its_own(few: range) -> None:
    """Ranges, too; and none that another attachment publishes, or this one itself."""
    other = Cached("demo", wanted({"hostPort": 40002, "containerPort": 1, "range": 2}), b"", {})
    for _ in range(20):
        request = wanted(
            {"hostPort": 0, "containerPort": 80},
            {"hostPort": 40000, "containerPort": 1},
            {"hostPort": 0, "containerPort": 90, "range": 3},
        )
        one, fixed, first = ports(chosen(request, lambda: [other]))
        used = [one, fixed, *range(first, first + 3), 40002, 40003]
        assert len(set(used)) == 7
        assert set(used) <= set(few)


def test_tcp_and_udp_do_not_stand_in_each_others_way(few: range) -> None:
    request = wanted(
        *[
            {"hostPort": 0, "containerPort": 80, "protocol": protocol}
            for protocol in ("tcp", "udp")
            for _ in few
        ]
    )
    assert sorted(ports(chosen(request, nobody))) == sorted([*few, *few])


def test_what_was_refused_is_not_tried_again(few: range) -> None:
    request = wanted({"hostPort": 0, "containerPort": 80})
    refused: list[Request] = []
    for _ in few:
        refused.append(chosen(request, nobody, refused))
    assert sorted(port for each in refused for port in ports(each)) == list(few)
    with pytest.raises(Failure):
        chosen(request, nobody, refused)


@pytest.mark.parametrize("count", [11, 65535])
def test_where_there_is_none_it_is_said(few: range, count: int) -> None:
    with pytest.raises(Failure, match=f"no {count} free host port"):
        chosen(wanted({"hostPort": 0, "containerPort": 1, "range": count}), nobody)


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_a_port_that_a_process_has_is_not_free(protocol: str, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not host_ports.is_free(protocol, port, "")
        assert not host_ports.is_free(protocol, port, "127.0.0.1")
    assert host_ports.is_free(protocol, port, "")
    assert host_ports.is_free(protocol, port, "192.0.2.99"), "an address of nobody: the plugin will say so"
    assert host_ports.is_free("sctp", port, "")


def test_what_others_left_in_the_cache_is_no_obstacle(few: range) -> None:
    odd = [
        {"hostPort": "x"},
        {"hostPort": -1},
        {"hostPort": 10**30},
        {"hostPort": 40000, "range": "x"},
        {"hostPort": 65535, "range": 10**30},
        {},
    ]
    cached = [Cached("demo", Request("c", "eth0", capability_args={"portMappings": odd}), b"", {})]
    assert ports(chosen(wanted({"hostPort": 0, "containerPort": 80}), lambda: cached))[0] in few
