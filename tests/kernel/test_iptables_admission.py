"""Admission by iptables: what core.iptables.admission makes is what the Go firewall makes, and goes again."""

import json
from typing import Any

import pytest

from core.address import parse
from core.intent import ISOLATED, OPEN, SAME_BRIDGE, Ingress
from core.iptables.admission import admit
from core.kernel.kernel import Kernel
from core.plan import apply, difference
from core.plan.records import Plan
from tests.harness import plugin
from tests.harness.host import Host
from tests.kernel.iptables import GO, VARIANTS, saved, use

ADDRESSES = ("10.1.0.2", "fd01::2")

pytestmark = pytest.mark.skipif(not (GO / "firewall").exists(), reason=f"there are no Go plugins in {GO}")


def call_go(host: Host, command: str, **keys: Any) -> None:
    ips = [{"address": f"{each}/{64 if ':' in each else 24}", "interface": 1} for each in ADDRESSES]
    interfaces = [{"name": "br0"}, {"name": "eth0", "sandbox": "/run/netns/c1"}]
    result = {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": ips}
    config = {"cniVersion": "1.0.0", "name": "net", "type": "firewall", "backend": "iptables", **keys}
    environ = {"CNI_COMMAND": command, "CNI_PATH": str(GO), "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}
    answer = plugin.call(
        GO / "firewall",
        {**environ, "CNI_NETNS": "/run/netns/c1"},
        json.dumps({**config, "prevResult": result}).encode(),
    )
    assert answer.exit_code == 0, answer


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("policy", "admin"), [(OPEN, "CNI-ADMIN"), (SAME_BRIDGE, "NOMAD-ADMIN")])
def test_the_rules_are_those_of_the_go_firewall(
    host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, policy: str, admin: str
) -> None:
    """F-2 F-3 F-4: chains and rules, and their order; ours go, what is shared stays."""
    use(host, monkeypatch, variant)
    monkeypatch.setenv("PATH", plugin.PATH)
    keys = {"ingressPolicy": policy, "iptablesAdminChainName": admin}
    call_go(host, "ADD", **keys)
    theirs = saved(host, variant, "filter")
    call_go(host, "DEL", **keys)
    without = saved(host, variant, "filter")
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -F && {tool}-{variant} -X")
    made = Plan(*admit([parse(each) for each in ADDRESSES], Ingress(policy, "br0"), admin))
    for _ in range(2):
        with Kernel("") as kernel:
            apply.add(kernel, made, lambda: None)
        assert saved(host, variant, "filter") == theirs
    with Kernel("") as kernel:
        assert difference.check(kernel, made) == []
        assert apply.delete(kernel, made.owned) == []
    assert saved(host, variant, "filter") == without
    with Kernel("") as kernel:
        assert len(difference.check(kernel, made)) == len(made.owned) == 4
        assert apply.delete(kernel, made.owned) == []


def test_an_isolated_bridge_is_fenced_within_before_all_else(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-7: what stays on the bridge is dropped, then what leaves it for another one that is fenced."""
    use(host, monkeypatch, "nft")
    monkeypatch.setenv("PATH", plugin.PATH)
    for bridge in ("br0", "br1"):
        with Kernel("") as kernel:
            made = Plan(*admit([parse("10.1.0.2")], Ingress(ISOLATED, bridge), "CNI-ADMIN"))
            apply.add(kernel, made, lambda: None)
            assert difference.check(kernel, made) == []
    found = [each for each in saved(host, "nft", "filter") if each.startswith("-A CNI-ISOLATION")]
    matches = [each.partition(" -m comment")[0].removeprefix("-A CNI-ISOLATION-STAGE-") for each in found]
    verdicts = [each.rpartition(" ")[2] for each in found]
    assert [f"{match} {verdict}" for match, verdict in zip(matches, verdicts)] == [
        "1 -i br1 -o br1 DROP",
        "1 -i br1 ! -o br1 CNI-ISOLATION-STAGE-2",
        "1 -i br0 -o br0 DROP",
        "1 -i br0 ! -o br0 CNI-ISOLATION-STAGE-2",
        "1 RETURN",
        "2 -o br1 DROP",
        "2 -o br0 DROP",
        "2 RETURN",
    ]
