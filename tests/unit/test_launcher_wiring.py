"""Who gets what: interface names, ports, resolv.conf; what a person sees."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from core.errors import CNIError
from launcher.answers import addresses, resolv_conf
from launcher.cache import Cached
from launcher.conflist import Network, parse_list
from launcher.drawing import draw
from launcher.failures import ConfigFailure, Failure, Several, TimedOut, UsageFailure
from launcher.request import Request
from launcher.target import Target
from launcher.terminal import Terminal
from launcher.wiring import document, summary
from launcher.wishes import Wishes, requests, verify

PLACE = Target("web", "/run/netns/web")
MAPPING = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


def network(name: str, *capabilities: str, **plugin: Any) -> Network:
    declared = {"capabilities": dict.fromkeys(capabilities, True)} if capabilities else {}
    return parse_list(
        json.dumps({"name": name, "plugins": [{"type": "bridge", **plugin, **declared}]}).encode()
    )


def test_each_network_gets_the_next_interface() -> None:
    pairs = requests([network("a"), network("b")], PLACE, Wishes(args=(("K", "V"),)))
    assert [request for _, request in pairs] == [
        Request("web", "eth0", "/run/netns/web", (("IgnoreUnknown", "1"), ("K", "V")), {}),
        Request("web", "eth1", "/run/netns/web", (("IgnoreUnknown", "1"), ("K", "V")), {}),
    ]


def test_taken_names_are_left_alone() -> None:
    pairs = requests([network("a"), network("b")], PLACE, Wishes(), ["lo", "eth0", "eth2"])
    assert [request.ifname for _, request in pairs] == ["eth1", "eth3"]


def test_a_wished_name_is_for_one_network() -> None:
    assert requests([network("a")], PLACE, Wishes(ifname="net0"))[0][1].ifname == "net0"
    with pytest.raises(UsageFailure, match="--ifname goes with a single network"):
        requests([network("a"), network("b")], PLACE, Wishes(ifname="net0"))


def test_ports_go_to_the_first_network_that_can() -> None:
    """R-1: and to no other, or one host port would be mapped twice."""
    pairs = requests(
        [network("a"), network("b", "portMappings"), network("c", "portMappings")],
        PLACE,
        Wishes(mappings=(MAPPING,)),
    )
    assert [request.capability_args for _, request in pairs] == [{}, {"portMappings": [MAPPING]}, {}]


def test_what_no_plugin_would_get_is_an_error() -> None:
    """R-1."""
    with pytest.raises(
        ConfigFailure,
        match="network a, b: no plugin declares the capability mac, so nobody would get its value",
    ) as caught:
        requests(
            [network("a", "ips"), network("b")], PLACE, Wishes(capability_args={"mac": "02::", "ips": []})
        )
    assert caught.value.hint == 'give the plugin that should get it "capabilities": {"mac": true}'


def test_unknown_keys_are_to_be_ignored_unless_somebody_says_otherwise() -> None:
    """R-1: as runtimes do, because CNI_ARGS goes to every plugin of the chain."""
    assert requests([network("a")], PLACE, Wishes())[0][1].args == ()
    given = (("IgnoreUnknown", "0"), ("K", "V"))
    assert requests([network("a")], PLACE, Wishes(args=given))[0][1].args == given


def test_address_and_mac_go_where_they_are_understood() -> None:
    """By the capability that a plugin declares, else in CNI_ARGS."""
    wishes = Wishes(addresses=("10.0.0.9",), mac="02:00:00:00:00:01")
    ((_, plain),) = requests([network("a")], PLACE, wishes)
    assert (plain.args, plain.capability_args) == (
        (("IgnoreUnknown", "1"), ("IP", "10.0.0.9"), ("MAC", "02:00:00:00:00:01")),
        {},
    )
    ((_, declared),) = requests(
        [network("a", "ips", "mac")], PLACE, replace(wishes, addresses=("10.0.0.9", "fd00::9/64"))
    )
    assert (declared.args, declared.capability_args) == (
        (),
        {"ips": ["10.0.0.9", "fd00::9/64"], "mac": "02:00:00:00:00:01"},
    )


@pytest.mark.parametrize(
    ("wishes", "capabilities", "complaint"),
    [
        (Wishes(addresses=("10.0.0.9", "fd00::9")), (), "takes a single --ip"),
        (
            Wishes(addresses=("10.0.0.9",), args=(("IP", "10.0.0.8"),)),
            (),
            "--ip is given by --capability or --arg as well",
        ),
        (
            Wishes(mac="02::", capability_args={"mac": "04::"}),
            ("mac",),
            "--mac is given by --capability or --arg as well",
        ),
    ],
)
def test_a_wish_that_cannot_be_passed_on_is_refused(
    wishes: Wishes, capabilities: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(UsageFailure, match=complaint):
        requests([network("a", *capabilities)], PLACE, wishes)


@pytest.mark.parametrize("wishes", [Wishes(addresses=("10.0.0.9",)), Wishes(mac="02:00:00:00:00:01")])
def test_address_and_mac_are_for_one_network(wishes: Wishes) -> None:
    with pytest.raises(UsageFailure, match="goes with a single network"):
        requests([network("a"), network("b")], PLACE, wishes)


def test_what_was_asked_for_must_be_in_the_result() -> None:
    """Whatever else is in it, and however it is written."""
    request = Request("web", "eth0")
    outcome = {
        "ips": [{"address": "10.0.0.9/24"}],
        "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:0A", "sandbox": "x"}, 7],
    }
    verify(Wishes(addresses=("10.0.0.9/16",), mac="02:00:00:00:00:0a"), request, outcome)
    with pytest.raises(Failure, match=r"--ip 10.0.0.8: no plugin gave it; eth0 got 10.0.0.9"):
        verify(Wishes(addresses=("10.0.0.8",)), request, outcome)
    with pytest.raises(
        Failure, match=r"--mac 02:00:00:00:00:0b: no plugin gave it; eth0 got 02:00:00:00:00:0a"
    ):
        verify(Wishes(mac="02:00:00:00:00:0b"), request, outcome)
    with pytest.raises(Failure, match="eth0 got no address"):
        verify(Wishes(addresses=("10.0.0.8",)), request, {})


def cached(outcome: dict[str, Any], **capability_args: Any) -> Cached:
    return Cached("demo", Request("web", "eth0", "/run/netns/web", (), capability_args), b"", outcome)


def test_addresses_of_every_version_are_found() -> None:
    assert addresses({"ips": [{"address": "10.0.0.2/8"}, {"address": "fd00::2/64"}]}) == [
        "10.0.0.2/8",
        "fd00::2/64",
    ]
    assert addresses({"ip4": {"ip": "10.0.0.2/8"}, "ip6": {"ip": "fd00::2/64"}}) == [
        "10.0.0.2/8",
        "fd00::2/64",
    ]
    assert addresses({}) == []


def test_resolv_conf_says_what_the_results_ask_for() -> None:
    dns = {
        "nameservers": ["10.0.0.53"],
        "domain": "example.org",
        "search": ["a", "b"],
        "options": ["ndots:2"],
    }
    text = "nameserver 10.0.0.53\ndomain example.org\nsearch a b\noptions ndots:2\n"
    assert resolv_conf([{"dns": dns}, {"dns": {}}, {}]) == text
    assert resolv_conf([{}]) == ""


def test_an_attachment_is_described() -> None:
    item = cached({"ips": [{"address": "10.0.0.2/8"}]}, portMappings=[MAPPING])
    assert (
        summary(item, "[bold]web[/]/eth0")
        == "[bold]web[/]/eth0 is on demo: [cyan]10.0.0.2/8[/]  published [magenta]8080→80/tcp[/]"
    )
    assert summary(cached({}), "[bold]web[/]/eth0") == "[bold]web[/]/eth0 is on demo: [cyan]no address[/]"
    assert document(item) == {
        "network": "demo",
        "containerID": "web",
        "ifname": "eth0",
        "netns": "/run/netns/web",
        "portMappings": [MAPPING],
        "result": {"ips": [{"address": "10.0.0.2/8"}]},
    }


def shown(renderable: Any, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_a_topology_is_drawn() -> None:
    """network -> bridge -> port -> container/ifname -> addresses, with published ports and damage."""
    web = {
        "containerID": "web",
        "ifname": "eth0",
        "state": "up",
        "addresses": ["10.0.0.2/24"],
        "port": "veth1",
        "bridge": "br0",
        "portMappings": [MAPPING],
    }
    old = {
        "containerID": "old",
        "ifname": "eth0",
        "state": "gone",
        "why": "its process has ended",
        "addresses": [],
        "bridge": "br0",
    }
    lone = {"containerID": "p", "ifname": "eth0", "state": "up", "addresses": ["10.1.0.2/24"]}
    picture = {
        "networks": [
            {
                "name": "demo",
                "source": "/etc/cni/net.d/10.conflist",
                "plugins": ["bridge", "portmap"],
                "bridges": [{"name": "br0", "state": "up", "mtu": 1500, "addresses": ["10.0.0.1/24"]}],
                "attachments": [web, old],
            },
            {"name": "line", "plugins": ["ptp"], "bridges": [], "attachments": [lone]},
            {"name": "idle", "plugins": ["bridge"], "bridges": []},
            {"name": "/x.conflist", "source": "/x.conflist", "error": "no JSON", "bridges": []},
        ],
        "unwired": ["spare"],
    }
    assert shown(draw(picture)) == (
        "CONTAINER  IFNAME  NETWORK  ADDRESSES    PUBLISHED    STATE\n"
        "web        eth0    demo     10.0.0.2/24  8080→80/tcp  up\n"
        "old        eth0    demo     -            -            gone\n"
        "p          eth0    line     10.1.0.2/24  -            up\n"
        "\n"
        "demo  bridge → portmap  /etc/cni/net.d/10.conflist\n"
        "└── bridge br0  10.0.0.1/24  mtu 1500\n"
        "    ├── veth1 ── web/eth0  10.0.0.2/24  8080→80/tcp\n"
        "    └── old/eth0  its process has ended\n"
        "line  ptp\n"
        "└── p/eth0  10.1.0.2/24\n"
        "idle  bridge\n"
        "└── nothing attached\n"
        "/x.conflist  unreadable  /x.conflist\n"
        "└── no JSON\n"
        "namespaces without a network: spare"
    )


def test_nothing_at_all_is_said_so() -> None:
    text = shown(draw({"networks": [], "unwired": []}, "/etc/cni/net.d"))
    assert text == (
        "nothing is wired, and no network is configured in /etc/cni/net.d; "
        "`cniwire up demo web` works all the same"
    )


def test_a_failure_is_shown_with_details_and_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """Text with brackets is text, not markup."""
    Terminal().failure(Several([Failure("a [b] c", "d [/] e", "do [this]"), CNIError(7, "plain")]))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["✘ a [b] c", "  d [/] e", "  → do [this]", "✘ plain"]


def test_a_failure_for_programs_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(as_json=True).failure(Several([TimedOut("late"), CNIError(7, "plain", "more")]))
    captured = capsys.readouterr()
    assert captured.err == ""
    hint = "give it more time with --timeout SECONDS, or look at its calls with --verbose"
    assert json.loads(captured.out) == {
        "code": 11,
        "msg": "late; plain; more",
        "errors": [{"code": 11, "msg": "late", "hint": hint}, {"code": 7, "msg": "plain", "details": "more"}],
    }


def test_several_failures_end_with_the_worst_code() -> None:
    nested = Several([Several([ConfigFailure("a")]), CNIError(1, "b"), TimedOut("c")])
    assert [failure.msg for failure in nested.failures] == ["a", "b", "c"]
    assert nested.status == 124
