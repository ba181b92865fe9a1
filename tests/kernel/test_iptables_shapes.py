"""What the iptables backends make is what the Go plugins make, as iptables-save of either variant tells."""

from typing import Any

import pytest

from tests.harness.configs import mapping
from tests.harness.host import Host
from tests.kernel.iptables import GO, VARIANTS, chain, flushed, of_attachments, saved, use

PORTS = [
    mapping(8080),
    mapping(53, 5353, "udp"),
    mapping(81, hostIP="10.1.0.1"),
    mapping(82, hostIP="::"),
    mapping(83, 84, "sctp"),
]
EXTERNAL = "KUBE-MARK-MASQ"

pytestmark = pytest.mark.skipif(not (GO / "portmap").exists(), reason=f"there are no Go plugins in {GO}")


@pytest.mark.parametrize(
    ("variant", "keys", "ports"),
    [
        ("nft", {}, PORTS),
        ("nft", {"snat": False}, [mapping(port) for port in range(9000, 9017)]),
        (
            "nft",
            {"markMasqBit": 5, "conditionsV4": ["!", "-s", "192.0.2.0/24", "-m", "mark", "--mark", "1"]},
            PORTS,
        ),
        ("nft", {"externalSetMarkChain": EXTERNAL, "conditionsV6": ["-i", "br0"]}, PORTS),
        # One IPv6 port a protocol: ip6tables-legacy -C takes another port for the same, so Go leaves it out.
        ("legacy", {"conditionsV4": ["-s", "192.0.2.1,10.0.0.0/8"]}, PORTS[:3]),
    ],
    ids=str,
)
def test_the_rules_are_those_of_the_go_plugins(
    host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, keys: dict[str, Any], ports: list[Any]
) -> None:
    """P-12 P-13 P-14 P-15 P-16 P-17 P-18 P-19 P-21 P-29 B-37 U-10: and DEL leaves none."""
    use(host, monkeypatch, variant)
    found: list[list[str]] = []
    for suite in (GO, None):
        flushed(host, variant)
        for tool in ("iptables", "ip6tables") if "externalSetMarkChain" in keys else ():
            host.run(f"{tool}-{variant} -t nat -N {EXTERNAL}")
        net, container = chain(host, suite, **keys), host.container("c1")
        ips = {"cni": {"ips": ["10.1.0.9", "fd01::9"]}}
        net.plugins = [{**net.plugins[0], "args": ips}, *net.plugins[1:]]
        net.add(container, portMappings=ports)
        if not suite:  # which fails its own CHECK of both families
            net.check(container, portMappings=ports)
        found.append(saved(host, variant))
        net.delete(container, portMappings=ports)
        assert of_attachments(saved(host, variant)) == []
        container.close()
    assert found[1] == found[0]
    assert len(of_attachments(found[0])) > 20


def test_a_second_add_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-22 P-44: and where the first one's rules were others, they go."""
    use(host, monkeypatch, "nft")
    net, container = chain(host), host.container("c1")
    result = net.add(container, portMappings=PORTS)
    before = saved(host)
    config = net.derived(net.plugins[1], result, {"portMappings": PORTS})
    net.call("ADD", config, container, "eth0")
    assert saved(host) == before
    net.call("ADD", {**config, "runtimeConfig": {"portMappings": [mapping(1)]}}, container, "eth0")
    assert [each for each in saved(host) if "dports 8080" in each or "dport 53 " in each] == []
    net.call("ADD", config, container, "eth0")
    assert saved(host) == before


@pytest.mark.parametrize("variant", VARIANTS)
def test_our_del_and_gc_clean_what_go_made(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """P-23 P-24 P-45 B-25 B-41: without prevResult, namespace or a key that names iptables."""
    use(host, monkeypatch, variant)
    theirs, ours, kept = chain(host, GO), chain(host, version="1.1.0"), host.container("c0")
    ours.plugins = [
        {key: each[key] for key in each if key not in ("ipMasqBackend", "backend")} for each in ours.plugins
    ]
    theirs.add(kept, portMappings=[mapping(1)])
    before = saved(host, variant)
    for verb in ("DEL", "GC"):
        container = host.container(f"c{verb}")
        theirs.add(container, portMappings=PORTS)
        other = chain(host, name="other")
        other.add(second := host.container(f"o{verb}"), portMappings=[mapping(8443)])
        beside = [each for each in saved(host, variant) if f"o{verb}" in each]
        assert len(beside) == 8
        host.run(
            f"iptables-{variant} -t nat -A OUTPUT -p tcp -j $(iptables-{variant}-save -t nat"
            f" | sed -n 's/.*c{verb}.* -j \\(CNI-DN-[0-9a-f]*\\)/\\1/p' | head -1)"
        )
        if verb == "DEL":
            ours.delete(container.name)
            ours.delete(container.name)
        else:
            ours.gc(kept)
        assert [each for each in saved(host, variant) if f"o{verb}" in each] == beside
        other.delete(second)
        container.close()
        assert saved(host, variant) == before
