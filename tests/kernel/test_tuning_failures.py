"""tuning, when something is wrong: whatever is refused changes nothing, and nothing is left of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.host import Host
from tests.kernel.tuned import NEW, RANGE, SOMAXCONN, USUAL, Tuned

INVALID_CONFIG, INVALID_NETNS, TRY_AGAIN_LATER, NOT_AVAILABLE = 7, 8, 11, 50
KERNEL_REFUSED, STORE_FAILED = 100, 107
WANTED: dict[str, Any] = {"mac": NEW, "mtu": 1400, "txQLen": 5, "sysctl": {SOMAXCONN: "512"}}
NEWEST: dict[str, Any] = {"cniVersion": "1.1.0", "prevResult": None}
ALLOWLIST = Path("/etc/cni/tuning/allowlist.conf")  # the lab's own


@pytest.fixture
def tuned(host: Host) -> Tuned:
    return Tuned(host)


@pytest.fixture
def allowlist() -> Iterator[Path]:
    ALLOWLIST.parent.mkdir(parents=True, exist_ok=True)
    yield ALLOWLIST
    if ALLOWLIST.is_dir():
        ALLOWLIST.rmdir()
    ALLOWLIST.unlink(missing_ok=True)
    ALLOWLIST.parent.rmdir()


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"mtu": 70000}, KERNEL_REFUSED, "cannot write LinkSettings(container, eth0, mac "),
    (
        {"sysctl": {SOMAXCONN: "512", "net.core.nosuch": "1"}},
        KERNEL_REFUSED,
        "TunedSysctl(net/core/nosuch, 1)",
    ),
    ({"sysctl": {SOMAXCONN: "512", RANGE: "9 1"}}, KERNEL_REFUSED, f"TunedSysctl({RANGE}, 9 1): Invalid"),
    ({"sysctl": {SOMAXCONN: "many"}}, KERNEL_REFUSED, "TunedSysctl(net/core/somaxconn, many): Invalid"),
    ({"sysctl": {"net/core": "1"}}, KERNEL_REFUSED, "Is a directory"),
    ({"dataDir": "/proc/self/nowhere"}, STORE_FAILED, "/proc/self/nowhere/c1_eth0.json: "),
    ({"dataDir": "/etc/hostname"}, STORE_FAILED, "/etc/hostname/c1_eth0.json: "),
    ({"mac": "02:00:00"}, INVALID_CONFIG, 'mac: want a unicast MAC, found "02:00:00"'),
]


@pytest.mark.parametrize(("keys", "code", "named"), REFUSED)
def test_what_is_refused_is_undone(tuned: Tuned, keys: dict[str, Any], code: int, named: str) -> None:
    """Newest first: the kernel takes the MAC before it refuses the MTU, and the sysctls before both."""
    error = tuned.refused("ADD", **{**WANTED, **keys})
    assert (error["code"], named in error["msg"]) == (code, True), error
    assert (tuned.state, tuned.files) == (USUAL, {})
    tuned.made("DEL", **keys)
    tuned.made("ADD", **WANTED)
    changed, files = tuned.state, tuned.files
    if keys.get("dataDir") is None:
        tuned.refused("ADD", **{**WANTED, **keys})  # of a second ADD only what that one did is undone
        assert (tuned.state, tuned.files) == (changed, files)
    tuned.made("DEL")
    assert (tuned.state, tuned.files) == (USUAL, {})


def test_a_link_that_is_not_there(tuned: Tuned) -> None:
    """Sysctls alone need none."""
    tuned.container.run("ip link delete eth0")
    error = tuned.refused("ADD", **WANTED)
    assert (error["code"], "No such device" in error["msg"]) == (KERNEL_REFUSED, True)
    assert (tuned.container.sysctl(SOMAXCONN), tuned.files) == ("128", {})
    tuned.made("ADD", sysctl=WANTED["sysctl"])
    assert tuned.container.sysctl(SOMAXCONN) == "512"
    tuned.made("DEL")
    assert (tuned.container.sysctl(SOMAXCONN), tuned.files) == ("128", {})


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
@pytest.mark.parametrize("path", ["/run/netns/gone", "/etc/hostname"])
def test_a_namespace_that_is_none_is_named(host: Host, tuned: Tuned, command: str, path: str) -> None:
    answer = host.call(command, tuned.config(**WANTED), "c1", CNI_NETNS=path)
    assert (answer.exit_code, answer.output["code"], path in answer.output["msg"]) == (1, INVALID_NETNS, True)
    assert not tuned.folder.exists()


def test_a_second_add_does_not_take_its_own_values_for_the_old_ones(tuned: Tuned) -> None:
    """The reference overwrites its file, and DEL restores what the first ADD had written."""
    tuned.made("ADD", **WANTED)
    tuned.made("ADD", **{**WANTED, "mtu": 1300, "allmulti": True})
    tuned.made("DEL", **WANTED)
    assert (tuned.state, tuned.files) == (USUAL, {})


# -- DEL -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config", [{}, {"mac": 5, "mtu": "x", "sysctl": [], "args": 1}, {"cniVersion": "0.3.1"}]
)
def test_del_needs_no_configuration_and_no_result(tuned: Tuned, config: dict[str, Any]) -> None:
    tuned.made("ADD", **WANTED)
    for _ in range(2):
        tuned.made("DEL", "FOO", prevResult=None, **config)
        assert (tuned.state, tuned.files) == (USUAL, {})


@pytest.mark.parametrize("path", ["", "/run/netns/gone", "/etc/hostname"])
def test_del_without_a_namespace_removes_the_file(host: Host, tuned: Tuned, path: str) -> None:
    """What was changed is gone with it."""
    tuned.made("ADD", **WANTED)
    for _ in range(2):
        answer = host.call("DEL", tuned.config(), "c1", CNI_NETNS=path)
        assert (answer.exit_code, answer.stderr, tuned.files) == (0, "", {})


def test_del_in_another_containers_namespace_changes_nothing_there(host: Host, tuned: Tuned) -> None:
    """CNI_NETNS is /proc/PID/ns/net, the container has died, and its PID is another's."""
    tuned.made("ADD", **WANTED)
    other = host.container("c2")
    other.run("ip link add eth0 mtu 1300 type veth peer name peer0")
    before = host.state(other)
    assert host.call("DEL", tuned.config(), "c1", CNI_NETNS=str(other.path)).exit_code == 0
    assert tuned.files == {}
    assert {line for line in host.state(other) if "c2" in line} == {line for line in before if "c2" in line}


def test_del_of_another_network_leaves_the_file_alone(host: Host, tuned: Tuned) -> None:
    """It follows an ADD that failed since the interface was there: what is another's has to survive it."""
    tuned.made("ADD", **WANTED)
    changed, files = tuned.state, tuned.files
    assert host.call("DEL", tuned.config(name="other"), tuned.container).exit_code == 0
    assert (tuned.state, tuned.files) == (changed, files)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"mtu": "x"}', '{"mac": "zz"}', "\xff"])
def test_a_damaged_file_hinders_no_del_and_is_told(tuned: Tuned, content: str) -> None:
    """It stays as long as there is something that it may be of; a retry would not cure it."""
    tuned.folder.mkdir(parents=True)
    file = tuned.folder / "c1_eth0.json"
    file.write_bytes(content.encode("latin-1"))
    answer = tuned.call("DEL")
    assert (answer.exit_code, answer.output) == (0, None)
    assert re.fullmatch(rf"tuning: .*{file}: .+\n", answer.stderr)
    assert (tuned.state, file.exists()) == (USUAL, True)
    error = tuned.refused("ADD", **WANTED)
    assert (error["code"] in (6, 7), str(file) in error["msg"]) == (True, True)
    assert (tuned.state, file.read_bytes()) == (USUAL, content.encode("latin-1"))
    tuned.made("DEL", gone=True)
    assert not file.exists()


def test_a_setting_that_cannot_be_written_back_is_told_and_the_file_stays(tuned: Tuned) -> None:
    """The others are written back; the next DEL may succeed."""
    tuned.made("ADD", **WANTED)
    file = tuned.folder / "c1_eth0.json"
    kept = file.read_text()
    file.write_text(json.dumps({**json.loads(kept), "mtu": 70000}))
    error = tuned.refused("DEL")
    assert (error["code"], "mtu 70000" in error["msg"]) == (TRY_AGAIN_LATER, True)
    assert tuned.state == {**USUAL, "mtu": 1400}
    file.write_text(kept)
    tuned.made("DEL")
    assert (tuned.state, tuned.files) == (USUAL, {})


# -- GC and STATUS ---------------------------------------------------------------------------------


def valid(attachments: Any) -> dict[str, Any]:
    return {"cni.dev/valid-attachments": attachments}


def test_gc_removes_files_of_attachments_that_are_not_valid(host: Host, tuned: Tuned) -> None:
    """Those of other networks stay, and those of the Go plugin, which do not say whose they are."""
    tuned.made("ADD", **WANTED)
    (tuned.folder / "c2_eth0.json").write_text('{"mtu": 1500}')
    tuned.made("GC", **NEWEST)
    tuned.made("GC", **NEWEST, **valid([{"containerID": "c1", "ifname": "eth0"}]))
    tuned.made("GC", name="other", **NEWEST, **valid([]))
    assert set(tuned.files) == {"c1_eth0.json", "c2_eth0.json"}
    tuned.made("GC", **NEWEST, **valid(None))
    assert set(tuned.files) == {"c2_eth0.json"}


def test_status_says_what_add_would(tuned: Tuned, allowlist: Path) -> None:
    tuned.made("STATUS", **NEWEST, **WANTED)
    assert tuned.refused("STATUS", **NEWEST, mtu=-1)["code"] == INVALID_CONFIG
    error = tuned.refused("STATUS", **NEWEST, mtu=1400, dataDir="/etc/hostname/x")
    assert (error["code"], error["msg"]) == (NOT_AVAILABLE, "dataDir: /etc/hostname is not a directory")
    allowlist.write_text("")
    error = tuned.refused("STATUS", **NEWEST, **WANTED)
    assert (error["code"], error["msg"]) == (NOT_AVAILABLE, f"sysctl.{SOMAXCONN} is not allowed")


# -- the allowlist ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "key", "allowed"),
    [
        (r"^net\.core\.somaxconn$", "net.core.somaxconn", True),
        ("\n  \nvm\nsomax\n", "net.core.somaxconn", True),
        (r"net\.core\.somaxconn", "net/core/somaxconn", False),
        (r"core\.somaxconn\z", "net.core.somaxconn", True),
        (r"core\.som\z", "net.core.somaxconn", False),
        ("^[[:alpha:].]+$", "net.core.somaxconn", True),
        ("^[[:digit:].]+$", "net.core.somaxconn", False),
        (r"^net\.ipv4\.conf\.IFNAME\.[a-z_]*$", "net.ipv4.conf.IFNAME.arp_filter", True),
        ("eth0", "net.ipv4.conf.IFNAME.arp_filter", False),
        ("", "net.core.somaxconn", False),
    ],
)
def test_an_administrator_allows_sysctls(
    tuned: Tuned, allowlist: Path, lines: str, key: str, allowed: bool
) -> None:
    """T-12: expressions are found anywhere in the key as it is written, before IFNAME is a name. ADD only."""
    allowlist.write_text(lines)
    places: list[dict[str, Any]] = [{"sysctl": {key: "1"}}, {"args": {"cni": {"sysctl": {key: "1"}}}}]
    for config in places:
        if allowed:
            tuned.made("ADD", **config)
            assert tuned.state != USUAL
        else:
            error = tuned.refused("ADD", **config)
            assert (error["code"], error["msg"]) == (INVALID_CONFIG, f"sysctl.{key} is not allowed")
            assert str(allowlist) in error["details"]
        tuned.made("DEL", **config)
        assert (tuned.state, tuned.files) == (USUAL, {})
    tuned.made("ADD", mtu=1400)


@pytest.mark.parametrize("content", ["(", "a\n[z-a]\n", r"\q", "x{2}{3}", "folder"])
def test_an_allowlist_that_cannot_be_read_allows_nothing(tuned: Tuned, allowlist: Path, content: str) -> None:
    allowlist.mkdir() if content == "folder" else allowlist.write_text(content)
    error = tuned.refused("ADD", **WANTED)
    assert (error["code"], error["msg"].startswith(f"{allowlist}: ")) == (INVALID_CONFIG, True)
    assert (tuned.state, tuned.files) == (USUAL, {})
    tuned.made("DEL", **WANTED)
