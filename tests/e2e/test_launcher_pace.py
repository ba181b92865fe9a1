"""What frequent commands import, and that our own reader of the kernel agrees with pyroute2."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from launcher.interfaces import interfaces
from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.namespace import Namespace

HEAVY = {"pyroute2", "rich", "asyncio", "subprocess", "difflib", "json", "shutil"}
LOADED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    made.network("net", bridge(host.data, "10.9.0.0/24", "fd00:9::/64"), version="1.1.0")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        (("--version",), set()),
        (("completion", "containers"), set()),
        (("exec", "WEB", "--", "true"), set()),
        (("ls",), {"rich", "subprocess"}),
        (("ps",), {"rich", "subprocess"}),
        (("gc", "--dry-run"), {"rich", "subprocess"}),
    ],
)
def test_what_a_command_loads(cniwire: Cniwire, command: tuple[str, ...], allowed: set[str]) -> None:
    """Imports are most of what a person waits for."""
    web = cniwire.name("web")
    cniwire("up", "net", web)
    arguments = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "launcher",
        *cniwire.options,
        *[web if word == "WEB" else word for word in command],
    ]
    with subprocess.Popen(
        arguments, env=cniwire.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    loaded = set(LOADED.findall(told))
    assert "launcher.main" in loaded
    assert (loaded & HEAVY) - allowed == set()
    cniwire("down", web)


def oracle(reader: IPRoute) -> dict[str, dict[str, object]]:
    """The same, as another implementation reads it."""
    found: dict[int, dict[str, object]] = {}
    with reader:
        addresses = [
            (it["index"], f"{it.get('local') or it.get('address')}/{it['prefixlen']}")
            for it in reader.get_addr()
            if it["scope"] != 253
        ]
        for link in reader.get_links():
            info = link.get("linkinfo")
            found[link["index"]] = {
                "index": link["index"],
                "name": link.get("ifname"),
                "kind": (info.get("kind") if info else None) or "",
                "up": link.get("operstate") == "UP",
                "mtu": link.get("mtu"),
                "mac": link.get("address") or "",
                "master": link.get("master"),
                "alias": link.get("ifalias") or "",
                "apart": link.get("link_netnsid") is not None,
                "addresses": [text for index, text in addresses if index == link["index"]],
            }
    for each in found.values():
        each["master"] = found[each["master"]]["name"] if each["master"] in found else ""
    return {str(each["name"]): each for each in found.values()}


def test_interfaces_are_read_as_another_library_reads_them(cniwire: Cniwire) -> None:
    """Many bridges and veths, peers elsewhere, aliases, addresses with a peer, both families, down and up."""
    web = cniwire.name("web")
    cniwire("up", "net", web)
    host: Namespace = cniwire.host
    for line in (
        "link add one0 type veth peer name one1",
        "link set one0 up",
        "link set one0 alias 'a b [c]'",
        "address add 192.0.2.7 peer 192.0.2.8/32 dev one0",
        "address add 2001:db8::7/64 dev one0 nodad",
        "link add down0 type bridge",
    ):
        host.run(f"ip {line}")
    many = "\\n".join(f"address add 198.51.100.{n % 250 + 1}/{n % 8 + 25} dev down0" for n in range(300))
    host.run(f"printf '{many}' | ip -force -batch - 2>/dev/null || true")
    with host.entered():
        assert interfaces() == oracle(IPRoute())
        read = interfaces(f"/run/netns/{web}")
    assert (read["eth0"]["addresses"], read["eth0"]["apart"]) == (["10.9.0.2/24", "fd00:9::2/64"], True)
    cniwire("down", web)


@pytest.mark.parametrize("path", ["/nowhere", "/etc/passwd", "/proc/1"])
def test_what_cannot_be_entered_has_no_interfaces(path: str) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    assert interfaces(path) == {}
    assert os.stat("/proc/thread-self/ns/net").st_ino == before
