"""What a tuning configuration asks for: every key, from every place where it may stand."""

import json
from typing import Any

import pytest

from core.cni.config import Section
from core.errors import INVALID_CONFIG, INVALID_ENVIRONMENT, CNIError
from plugins.tuning.options import FOLDER, Options, options, refuse_repeated, substituted, sysctl_path

NOTHING = Options(b"", 0, None, None, None, {}, FOLDER)
MACS = {number: f"02:00:00:00:00:0{number}" for number in range(1, 5)}


def asked(**config: Any) -> Options:
    return options(Section(config), "")


def refused(config: dict[str, Any], args: str = "") -> CNIError:
    with pytest.raises(CNIError) as error:
        options(Section(config), args)
    return error.value


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"sysctl": {}},
        {"sysctl": None, "mac": None, "args": None},
        {"mac": "", "mtu": 0, "promisc": False},
        {"sysctl": {"net.core.somaxconn": None}},
        {"args": {"cni": {"labels": []}, "other": 1}},
        {"dataDir": "/somewhere"},
    ],
)
def test_nothing_is_asked_for(config: dict[str, Any]) -> None:
    """As by Podman, in every network."""
    assert not asked(**config)


def test_every_key_of_the_configuration() -> None:
    wanted = asked(
        sysctl={"net.core.somaxconn": "512"},
        mac="C2-11-22-33-44-55",
        mtu=1400,
        promisc=True,
        allmulti=False,
        txQLen=0,
        dataDir="/data",
    )
    sysctls = {"net/core/somaxconn": ("net.core.somaxconn", "512")}
    assert wanted == Options(bytes.fromhex("c21122334455"), 1400, True, False, 0, sysctls, "/data")
    assert asked(MTU=1400, ALLMULTI=True, txqlen=5) == Options(b"", 1400, None, True, 5, {}, FOLDER)


def test_args_win_over_the_configuration_key_by_key() -> None:
    """T-2..T-9: also a sysctl where the configuration has none, which crashes the reference."""
    config = {"mtu": 1400, "promisc": True, "allmulti": True, "txQLen": 5, "mac": MACS[1]}
    override = {"mtu": 1300, "promisc": False, "allmulti": False, "txQLen": 6, "mac": MACS[2]}
    mac = bytes.fromhex("020000000002")
    assert asked(**config, args={"cni": override}) == Options(mac, 1300, None, False, 6, {}, FOLDER)
    assert asked(**config, args={"cni": {"mac": ""}}).mac == b""
    sysctl = {"net/core/somaxconn": "5"}
    assert asked(args={"cni": {"sysctl": sysctl}}).sysctls == {
        "net/core/somaxconn": ("net/core/somaxconn", "5")
    }
    both = asked(sysctl={"net.core.somaxconn": "1", "net.a": "2"}, args={"cni": {"sysctl": sysctl}})
    assert both.sysctls == {"net/core/somaxconn": ("net/core/somaxconn", "5"), "net/a": ("net.a", "2")}


@pytest.mark.parametrize("highest", MACS)
def test_the_order_in_which_a_mac_is_overridden(highest: int) -> None:
    """T-10: the configuration, CNI_ARGS, runtimeConfig, args.cni."""
    config: dict[str, Any] = {"mac": MACS[1]}
    config |= {"runtimeConfig": {"mac": MACS[3]}} if highest >= 3 else {"runtimeConfig": {"mac": ""}}
    config |= {"args": {"cni": {"mac": MACS[4]}}} if highest >= 4 else {}
    args = f"IgnoreUnknown=1;K8S_POD_NAME=x;MAC={MACS[2]}" if highest >= 2 else "MAC="
    assert options(Section(config), args).mac == bytes([2, 0, 0, 0, 0, highest])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mac": "zz"}, 'mac: want a unicast MAC, found "zz"'),
    ({"mac": "01:00:00:00:00:01"}, 'mac: want a unicast MAC, found "01:'),
    ({"mac": 5}, "mac: want a string, found 5"),
    ({"runtimeConfig": {"mac": "x"}}, "runtimeConfig.mac: want a unicast MAC"),
    ({"args": {"cni": {"mac": "x"}}}, "args.cni.mac: want a unicast MAC"),
    ({"args": {"cni": []}}, "args.cni: want an object, found []"),
    ({"mtu": -1}, "mtu: want an integer from 0 to 2147483647, found -1"),
    ({"mtu": "1400"}, 'found "1400"'),
    ({"mtu": 1400.0}, "found 1400.0"),
    ({"args": {"cni": {"mtu": True}}}, "args.cni.mtu: want an integer"),
    ({"promisc": "true"}, 'promisc: want true or false, found "true"'),
    ({"allmulti": 1}, "allmulti: want true or false, found 1"),
    ({"txQLen": 2**32}, "txQLen: want an integer from 0 to 4294967295"),
    ({"dataDir": "here"}, 'dataDir: want an absolute path, found "here"'),
    ({"dataDir": "/a\0b"}, "dataDir: want an absolute path"),
    ({"sysctl": []}, "sysctl: want an object, found []"),
    (
        {"sysctl": {"net.core.somaxconn": 512}},
        "net.core.somaxconn: want a string with a value, found 512",
    ),
    ({"sysctl": {"net.core.somaxconn": " "}}, "want a string with a value"),
    ({"sysctl": {"kernel.pid_max": "1"}}, "sysctl.kernel.pid_max: want a setting below /proc/sys/net"),
    ({"args": {"cni": {"sysctl": {"vm.x": "1"}}}}, "args.cni.sysctl.vm.x: want a setting below"),
    (
        {"sysctl": {"net.core.somaxconn": "1", "net/core/somaxconn": "2"}},
        "sysctl.net/core/somaxconn and net.core.somaxconn are the same setting",
    ),
]


@pytest.mark.parametrize(("config", "told"), WRONG)
def test_what_is_wrong_is_named_with_its_value(config: dict[str, Any], told: str) -> None:
    error = refused(config)
    assert (error.code, told in error.msg) == (INVALID_CONFIG, True), error.msg


@pytest.mark.parametrize("args", ["MAC=zz", "MAC=01:00:00:00:00:00", "FOO=1", "MAC=x;"])
def test_args_of_the_environment_that_are_wrong(args: str) -> None:
    assert refused({}, args).code == INVALID_ENVIRONMENT


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net..core//x", "net/core/x"),
        ("net/ipv4/conf/eth0.100/arp_notify", "net/ipv4/conf/eth0.100/arp_notify"),
        ("net.ipv4.conf.eth0/100.arp_notify", "net/ipv4/conf/eth0.100/arp_notify"),
        ("net.ipv6.neigh.eth0/1/2.app_solicit", "net/ipv6/neigh/eth0.1.2/app_solicit"),
        ("net.ipv4.conf.IFNAME.arp_notify", "net/ipv4/conf/IFNAME/arp_notify"),
        *[(key, "") for key in ("net", "net/", "kernel.net.x", "/proc/sys/net/x", "netx.y", "")],
        *[(key, "") for key in ("net/ipv4/conf/../x", "net.ipv4.conf./.x", "net.a b", "net.a\n", "net.a\0b")],
        ("net/../kernel/x", "net/kernel/x"),  # as in the reference, dots are no way out
    ],
)
def test_sysctls_are_named_with_dots_or_with_slashes(key: str, path: str) -> None:
    """U-12: a name of a link may have dots."""
    assert sysctl_path(key) == path


def test_ifname_stands_for_the_name_of_the_interface() -> None:
    """The first of them; a name with dots is no other path."""
    wanted = asked(sysctl={"net.ipv4.conf.IFNAME.a": "1", "net/ipv6/conf/IFNAME/IFNAME": "2"})
    assert substituted(wanted, "eth0.7") == {
        "net/ipv4/conf/eth0.7/a": "1",
        "net/ipv6/conf/eth0.7/IFNAME": "2",
    }
    twice = asked(sysctl={"net.ipv4.conf.IFNAME.a": "1", "net.ipv4.conf.eth0.a": "2"})
    with pytest.raises(CNIError, match=r"sysctl.net.ipv4.conf.eth0.a and net.ipv4.conf.IFNAME.a are "):
        substituted(twice, "eth0")
    assert len(substituted(twice, "eth1")) == 2


TWICE = '{"net.a": "1", "net.b": "3", "net.a": "2"}'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f'{{"sysctl": {TWICE}}}', "sysctl.net.a stands there twice"),
        (f'{{"SysCtl": {TWICE}}}', "sysctl.net.a stands there twice"),
        (f'{{"args": {{"cni": {{"sysctl": {TWICE}}}}}}}', "args.cni.sysctl.net.a stands there twice"),
        ('{"sysctl": {"net.a": "1", "net.\\u0061": "2"}}', "sysctl.net.a stands there twice"),
    ],
)
def test_a_sysctl_that_stands_twice_is_refused(text: str, named: str) -> None:
    """T-13: the usual decoder keeps the last one."""
    with pytest.raises(CNIError) as error:
        refuse_repeated(text.encode())
    assert (error.value.code, error.value.msg) == (INVALID_CONFIG, named)


ONCE: list[dict[str, Any]] = [
    {},
    {"sysctl": None},
    {"sysctl": [["net.a", 1]]},
    {"args": []},
    {"args": {"cni": 1}},
    {"sysctl": {"net.a": "1"}},
]


@pytest.mark.parametrize("document", ONCE)
def test_a_sysctl_that_stands_once_is_not(document: dict[str, Any]) -> None:
    """Nor one in another object, or in one of which the last counts."""
    refuse_repeated(json.dumps(document).encode())
    refuse_repeated(f'{{"sysctl": {TWICE}, "sysctl": {{}}, "x": {TWICE}}}'.encode())
