"""The network configuration of a node: the template filled in, and the file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.address import Cidr, parse_cidr
from launcher.node import conflist

V4, V6 = parse_cidr("10.244.1.0/24"), parse_cidr("fd00:10:244:1::/64")
BOTH = [[{"subnet": "usePodCidr"}], [{"subnet": "usePodCidrIPv6", "gateway": "fd00::1"}]]
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


def template(**ipam: Any) -> bytes:
    keys = ipam or {"ranges": BOTH, "routes": ROUTES}
    plugin = {"type": "bridge", "ipam": {"type": "host-local", **keys}}
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}).encode()


def ipam(*networks: Cidr, **keys: Any) -> dict[str, Any]:
    made = conflist.filled(template(**keys), networks, "n")
    assert made[conflist.MARK] == "n"
    (plugin,) = made["plugins"]
    return dict(plugin["ipam"])


def test_the_podcidrs_are_put_in() -> None:
    """A family that the node lacks goes, with its routes; the old form of host-local is known, too."""
    kind = {"type": "host-local"}
    second = {"subnet": "fd00:10:244:1::/64", "gateway": "fd00::1"}
    assert ipam(V4, V6) == {**kind, "ranges": [[{"subnet": "10.244.1.0/24"}], [second]], "routes": ROUTES}
    assert ipam(V4) == {**kind, "ranges": [[{"subnet": "10.244.1.0/24"}]], "routes": ROUTES[:1]}
    assert ipam(V6) == {**kind, "ranges": [[second]], "routes": ROUTES[1:]}
    assert ipam(V4, subnet="usePodCidr") == {**kind, "subnet": "10.244.1.0/24"}
    assert ipam(V4, subnet="10.9.0.0/24", routes=ROUTES) == {
        **kind,
        "subnet": "10.9.0.0/24",
        "routes": ROUTES,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "want a JSON object"),
        (b'{"name": "pods"}', "plugins"),
        (
            template(ranges=[[{"subnet": "usePodCidrIPv6"}]]),
            "wants a podCIDR of a family that the node lacks",
        ),
    ],
)
def test_a_template_that_cannot_be_used_says_why(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conflist.filled(text, [V4], "n")


def test_the_file_appears_whole_and_readable_for_all(tmp_path: Path) -> None:
    path = tmp_path / "10-x.conflist"
    made = conflist.filled(template(), [V4], "n")
    assert conflist.read(str(path)) is None
    conflist.write(str(path), made)
    assert conflist.read(str(path)) == conflist.Found(made, "n")
    assert (os.listdir(tmp_path), path.stat().st_mode & 0o777) == ([path.name], 0o644)


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "10-x.conflist"
    path.mkdir()
    with pytest.raises(OSError, match="10-x"):
        conflist.write(str(path), {"name": "pods"})
    assert os.listdir(tmp_path) == [path.name]


def test_whose_a_file_is(tmp_path: Path) -> None:
    """Ours bear the mark; whatever cannot be read is somebody else's."""
    for name, text in (
        ("10-ours.conflist", '{"name": "x", "cniwire.node": "n"}'),
        ("20-torn.conflist", '{"name": "x", "cniwire.node": "n"'),
        ("30-other.conf", '{"name": "x"}'),
        ("40-list.json", "[]"),
        ("50-mark.json", '{"cniwire.node": 3}'),
        ("60-text.txt", '{"cniwire.node": "n"}'),
    ):
        (tmp_path / name).write_text(text)
    assert conflist.ours(str(tmp_path)) == [str(tmp_path / "10-ours.conflist")]


def test_what_may_not_change_under_living_pods() -> None:
    """Name, bridge and addresses; the rest may."""
    made = conflist.filled(template(), [V4], "n")
    other = conflist.filled(template(), [V4, V6], "n")
    more = {**made, "plugins": [{**made["plugins"][0], "mtu": 1400}, {"type": "portmap"}]}
    assert conflist.addresses(more) == conflist.addresses(made)
    assert conflist.addresses(other) != conflist.addresses(made)
    assert conflist.addresses({**made, "name": "x"}) != conflist.addresses(made)
    assert conflist.addresses({"plugins": 3}) == (None, [])


def test_reservations_are_counted_by_their_names(tmp_path: Path) -> None:
    made = {"name": "pods", "plugins": [{"type": "bridge", "ipam": {"dataDir": str(tmp_path)}}]}
    assert conflist.reserved(made) == 0
    (tmp_path / "pods").mkdir()
    for name in ("10.244.1.2", "fd00::2", "last_reserved_ip.0", "lock"):
        (tmp_path / "pods" / name).write_text("c1\r\neth0")
    assert conflist.reserved(made) == 2


@pytest.mark.parametrize(
    ("wider", "told"),
    [
        (["10.244.0.0/16", "fd00:10:244::/56"], []),
        (["10.244.0.0/16"], ["fd00:10:244:1::/64"]),
        (["10.244.1.0/25", 7, "fd00::/8"], ["10.244.1.0/24"]),
        (None, ["10.244.1.0/24", "fd00:10:244:1::/64"]),
    ],
)
def test_which_networks_leave_under_the_nodes_address(wider: list[Any] | None, told: list[str]) -> None:
    plugin = {"type": "bridge", "ipMasq": True, "ipMasqOutside": wider}
    assert conflist.masqueraded({"plugins": [plugin]}, [V4, V6]) == told
    assert conflist.masqueraded({"plugins": [{**plugin, "ipMasq": False}]}, [V4, V6]) == []
