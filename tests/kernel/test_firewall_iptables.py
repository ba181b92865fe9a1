"""firewall with the backend iptables: the reference's rules besides ours, and nothing of them is left."""

import pytest

from tests.harness import plugin
from tests.harness.host import Host
from tests.kernel.forwarding import (
    CONTAINER,
    GO,
    PORT,
    chain,
    elements,
    needs_go,
    neighbourhood,
    out_and_in,
    reaches,
    without,
)
from tests.kernel.iptables import VARIANTS, saved, use

of_each_variant = pytest.mark.parametrize("variant", VARIANTS)


def of_containers(host: Host, variant: str) -> list[str]:
    """The rules of iptables that accept addresses of containers."""
    found = [each for each in saved(host, variant, "filter") if each.startswith("-A CNI-FORWARD")]
    return [each for each in found if "-j ACCEPT" in each and "--mark" not in each]


@of_each_variant
def test_a_container_is_forwarded_where_iptables_drops(
    host: Host, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    """F-2: out, IPv4 and IPv6, and in by its published port where the drop is seen; nobody else."""
    use(host, monkeypatch, variant)
    lan = neighbourhood(host)
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -P FORWARD DROP")
    net, admitted, other = chain(host, backend="iptables"), host.container("c1"), host.container("c2")
    net.add(admitted, portMappings=PORT)
    without(net).add(other)
    seen = variant == "nft"
    assert out_and_in(admitted, lan) == [True, seen] * 2
    assert not reaches(other, "192.0.2.2", 0.2)
    net.check(admitted, portMappings=PORT)
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -I CNI-ADMIN -j DROP")
    assert out_and_in(admitted, lan) == [False] * 4


@of_each_variant
@pytest.mark.parametrize("by", ["DEL", "DEL without prevResult", "GC"])
def test_no_rule_is_left(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, by: str) -> None:
    """F-4: by DEL, whatever it brings, and by GC; the neighbour's rules stay, and what all share."""
    use(host, monkeypatch, variant)
    net = chain(host, backend="iptables")
    keeps, goes = host.container("c2"), host.container("c1")
    net.add(keeps)
    before = saved(host, variant, "filter")
    net.add(goes)
    assert len(of_containers(host, variant)) == 8
    if by == "GC":
        net.gc(keeps)
    else:
        request = net.derived(net.plugins[2], net.results["c1", "eth0"] if by == "DEL" else None)
        for _ in range(2):
            answer = host.call("DEL", request, "c1")
            assert (answer.exit_code, answer.output, answer.stderr) == (0, None, "")
    assert saved(host, variant, "filter") == before
    net.check(keeps)


@of_each_variant
def test_check_names_a_rule_that_is_gone(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """F-4."""
    use(host, monkeypatch, variant)
    net, container = chain(host, backend="iptables"), host.container("c1")
    net.add(container)
    host.run(f"iptables-{variant} -D CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT")
    with pytest.raises(plugin.PluginError, match=r"CNI-FORWARD has lost -s 10\.1\.0\.2/32 -j ACCEPT"):
        net.check(container)


@needs_go
@of_each_variant
def test_the_rules_are_the_reference_s(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """F-2 F-3: comments, order and all, and it takes ours away as its own; DEL of what it made, likewise."""
    use(host, monkeypatch, variant)
    ours = chain(host, backend="iptables", ingressPolicy="same-bridge", iptablesAdminChainName="NOMAD-ADMIN")
    theirs = chain(host, **{key: value for key, value in ours.plugins[2].items() if key != "type"})
    theirs.suites, theirs.version, ours.version = {"firewall": GO}, "1.0.0", "1.0.0"
    first, second = host.container("c1"), host.container("c2")
    ours.add(first)
    rules = saved(host, variant, "filter")
    theirs.results = dict(ours.results)
    theirs.check(first)
    theirs.delete(first)
    assert of_containers(host, variant) == []
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -F && {tool}-{variant} -X")
    theirs.add(second)
    changed = [each.replace(CONTAINER[0][:-1] + "3", CONTAINER[0]) for each in saved(host, variant, "filter")]
    assert [each.replace("fd01::3", "fd01::2") for each in changed] == rules
    ours.results = dict(theirs.results)
    ours.check(second)
    ours.delete(second)
    assert of_containers(host, variant) == []


def test_status_and_add_say_that_iptables_is_not_there(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    use(host, monkeypatch, "nft", "iptables-save", "iptables-restore")
    net, container = chain(host, backend="iptables"), host.container("c1")
    net.version = "1.1.0"
    answer = host.call("STATUS", net.derived(net.plugins[2]))
    assert (answer.exit_code, answer.output["code"]) == (1, 50)
    assert "iptables" in answer.output["msg"]
    with pytest.raises(plugin.PluginError, match="iptables"):
        net.add(container)
    net.delete(container)
    assert elements(host, "admitted4") == {}
    assert not [each for each in host.state(container) if "10.1.0.2" in each or "eth0" in each]
