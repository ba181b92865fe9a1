"""What portmap leaves out is not said to be published."""

import pytest
from rich.console import Console

from launcher import ports
from launcher.cache import Cached
from launcher.drawing import draw
from launcher.request import Request
from launcher.topology import attachment
from launcher.wiring import summary

REASON = "the kernel lets no answer back to ::1; 127.0.0.1 works"
LOOPBACK = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "::1"}
OTHER = {"hostPort": 8081, "containerPort": 80, "protocol": "tcp", "hostIP": "fd00::1"}


@pytest.mark.parametrize("address", ["::1", "0:0:0:0:0:0:0:1", "[::1]"])
def test_nothing_is_served_on_the_loopback_of_ipv6(address: str) -> None:
    assert ports.unserved({**LOOPBACK, "hostIP": address}) == REASON


@pytest.mark.parametrize(
    "address", [None, "", "127.0.0.1", "::", "fd00::1", "::ffff:127.0.0.1", "nonsense", 3, ["::1"]]
)
def test_everything_else_is(address: object) -> None:
    assert ports.unserved({**LOOPBACK, "hostIP": address}) == ""


def test_pictures_and_summaries_tell() -> None:
    item = Cached("net", Request("web", "eth0", "", (), {"portMappings": [LOOPBACK, OTHER]}), b"", {})
    assert summary(item, "web").endswith("published [magenta]\\[fd00::1]:8081→80/tcp[/]")
    shown = attachment(item, {}, {})
    assert shown["portMappings"] == [{**LOOPBACK, "notServed": REASON}, OTHER]
    console = Console(width=200)
    with console.capture() as captured:
        console.print(
            draw({"networks": [{"name": "net", "attachments": [shown], "bridges": []}], "unwired": []})
        )
    assert "[::1]:8080→80/tcp (not served)" in captured.get()
    assert f"[::1]:8080→80/tcp not served: {REASON}" in captured.get()
