"""docs/runtimes: what a page shows of runtimes that no test has, called as these runtimes call plugins.

What each of them sends is read in its source. Pages of runtimes that are here are run by tests/runtimes.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.installation.versions import PLUGINS
from tests.harness.conflists import ASKED
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.traffic import Server, ask, ping
from tests.runtimes.documents import PAGES, blocks

LISTS = [
    (page, name)
    for page in ("crio", "nerdctl", "nomad", "kubernetes")
    for name in blocks(page)
    if name.endswith(".conflist")
]
KUBELET = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1"
ARGS = {  # CNI_ARGS, as each of them fills it
    "crio": KUBELET,
    "kubernetes": KUBELET,
    "nerdctl": None,
    "nomad": "IgnoreUnknown=true;NOMAD_ALLOC_ID=4711;NOMAD_GROUP_NAME=web;NOMAD_JOB_ID=docs;"
    "NOMAD_NAMESPACE=default;NOMAD_REGION=global",
}
CHECKING = ("crio", "nomad")


def network(host: Host, page: str, name: str) -> Network:
    """A list of a page; its reservations are the test's own."""
    document = json.loads(blocks(page)[name])
    for plugin in document["plugins"]:
        if "ipam" in plugin:
            plugin["ipam"]["dataDir"] = str(host.data)
    return host.network(*document["plugins"], name=document["name"], version=document["cniVersion"])


def reached(host: Host, container: Container) -> Iterator[str]:
    """Who answers at its address on the bridge, and at the published ports, from outside."""
    outside = host.outside()
    with Server(container, 80), Server(container, 53, "udp"):
        yield ask(outside, "192.0.2.1", 8080).server
        yield ask(outside, "192.0.2.1", 8053, "udp").server
        yield ask(host, "127.0.0.1", 8080).server


@pytest.mark.parametrize(("page", "name"), LISTS)
def test_a_list_serves_as_its_runtime_calls_it(page: str, name: str, host: Host) -> None:
    """VERSION and STATUS before, CHECK behind ADD where it does so, DEL without a namespace; none is left."""
    made, container, args = network(host, page, name), host.container("c1"), ARGS[page]
    assert {plugin["type"] for plugin in made.plugins} <= {*PLUGINS}
    for plugin in made.plugins:
        supported = host.call("VERSION", {"cniVersion": made.version, "type": plugin["type"]}).output
        assert made.version in supported["supportedVersions"]
    if made.version == "1.1.0":
        made.status()
        made.gc()
    made.add(container, args=args, **ASKED)
    if page in CHECKING:
        made.check(container, args=args, **ASKED)
    if page == "crio":
        made.gc(container)
        made.check(container, args=args, **ASKED)
    assert [*reached(host, container)] == ["c1"] * 3
    made.delete("c1", args=args, **ASKED)
    assert not [line for line in host.state() if "c1/eth0" in line or "10.88.0.2" in line]
    assert [path.name for path in host.data.rglob("*.*.*.*")] == []


@pytest.mark.parametrize("page", ["nerdctl", "nomad"])
def test_the_version_that_a_page_names_is_printed(page: str, host: Host) -> None:
    """Nomad takes the first semantic version on the line, nerdctl the rest of it."""
    (shown,) = set(re.findall(r"`(v[\d.]+\+cniwire)\.VERSION`", (PAGES / f"{page}.md").read_text()))
    for name in ("bridge", "firewall", "host-local", "loopback", "portmap"):
        line = host.call("", b"{}", type_name=name, CNI_COMMAND=None).stderr.splitlines()[0]
        assert re.fullmatch(rf"CNI {name} plugin {re.escape(shown)}\.[\d.]+", line), line


@pytest.mark.parametrize(
    ("page", "name"),
    [("crio", "/etc/crio/crio.conf.d/10-cniwire.conf"), ("nerdctl", "/etc/nerdctl/nerdctl.toml")],
)
def test_a_configuration_is_toml_and_names_the_usual_folders(page: str, name: str) -> None:
    text = blocks(page)[name]
    found = json.dumps(tomllib.loads(text))
    assert [path for path in ("/opt/cni/bin", "/etc/cni/net.d") if path not in found] == []


def test_pods_of_two_nodes_see_each_others_own_addresses(host: Host, tmp_path: Path) -> None:
    """With the routes and rules of the page; the world sees the node instead."""
    page = blocks("kubernetes")
    made, pod = network(host, "kubernetes", "/etc/cni/net.d/10-cniwire.conflist"), host.container()
    made.add(pod, args=KUBELET)
    other = host.outside()
    rules = tmp_path / "pods.nft"
    rules.write_text(page["/etc/nftables.d/pods.nft"])
    host.run(f"nft -f {rules}")
    text = (PAGES / "kubernetes.md").read_text()
    routes = re.findall(r"^ {4}(ip .*route replace .*)$", text, re.MULTILINE)
    assert len(routes) == 2
    for route in routes:
        host.run(route)
    for address in ("10.244.2.1/24", "fd00:244:2::1/64"):
        other.run(f"ip address add {address} dev eth0 {'nodad' if ':' in address else ''}")
    other.run(
        "ip route add 10.244.1.0/24 via 192.0.2.1 && ip -6 route add fd00:244:1::/64 via 2001:db8:ff::1"
    )
    for address, mine in (("10.244.2.1", "10.244.1.2"), ("fd00:244:2::1", "fd00:244:1::2")):
        assert ping(pod, address) is not None
        with Server(other, 80):
            assert ask(pod, address, 80).caller == mine
    with Server(other, 81):
        assert ask(pod, "192.0.2.2", 81).caller == "192.0.2.1"
