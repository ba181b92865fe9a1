"""containerd's CRI, as kubelet drives it, on our executables alone."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fcntl import LOCK_EX, flock
from pathlib import Path

import grpc
import pytest

from tests.harness.state import State
from tests.harness.traffic import ping
from tests.runtimes import reach
from tests.runtimes.containerd import PAGE, SOCKET, STORAGE, Containerd, processes
from tests.runtimes.cri import Runtime
from tests.runtimes.daemon import kill, until
from tests.runtimes.documents import place
from tests.runtimes.images import GREETING
from tests.runtimes.node import RESERVATIONS, STATE_DIR, Node
from tests.runtimes.reach import Found, Site

PODS_AT_ONCE, CALLS_AT_ONCE = 24, 12
RESULTS = STATE_DIR / "results"


@pytest.fixture
def kubelet(containerd: Containerd) -> Iterator[Runtime]:
    with Runtime(str(SOCKET)) as runtime:
        loaded(containerd, runtime)
        yield runtime


@pytest.fixture
def untouched(node: Node, kubelet: Runtime) -> State:
    """What there is when the first pod came and went: what is shared was made."""
    remove(kubelet, kubelet.run_pod("first", ports=[(7999, 80)]))
    return node.remains()


def loaded(containerd: Containerd, kubelet: Runtime) -> None:
    """Wait until containerd has read the networks in /etc/cni/net.d, which it watches."""
    containerd.daemon.until(lambda: kubelet.conditions().get("NetworkReady") == "", "networks are read")


def remove(kubelet: Runtime, *pods: str) -> None:
    """Stop and remove *pods*, as kubelet does; it repeats either until it succeeds."""
    for pod in pods:
        kubelet.stop_pod(pod)
        kubelet.remove_pod(pod)


def reserved() -> set[Path]:
    return set(RESERVATIONS.rglob("*"))


def test_pods_are_reached_from_everywhere_and_leave_nothing(
    node: Node, kubelet: Runtime, untouched: State
) -> None:
    """Both families, the published port, `lo`; what kubelet asks every five seconds holds."""
    outside = node.host.outside()
    before = node.remains()
    web, peer = kubelet.run_pod("web", ports=[(8080, 80)]), kubelet.run_pod("peer")
    inside = Found(kubelet.netns(web))
    addresses = kubelet.addresses(web)
    assert [address[:8] for address in addresses] == ["10.88.0.", "2001:db8"]
    assert inside.link("lo")["flags"] == ["LOOPBACK", "UP", "LOWER_UP"]
    site = Site(inside, addresses, 8080, Found(kubelet.netns(peer)))
    assert reach.troubles(node.host, outside, site) == []
    assert kubelet.conditions() == {"RuntimeReady": "", "NetworkReady": ""}

    kubelet.stop_pod(web)
    assert not [line for line in node.remains() if "8080" in line]
    remove(kubelet, web, peer)
    assert node.remains() == before


def test_a_pod_is_shaped_by_its_annotations(node: Node, kubelet: Runtime, untouched: State) -> None:
    """Both directions have a token bucket on the host, the one of the pod's own packets on an ifb."""
    wanted = {"kubernetes.io/ingress-bandwidth": "8M", "kubernetes.io/egress-bandwidth": "16M"}
    pod = kubelet.run_pod("web", annotations=wanted)
    buckets = [it for it in node.host.run_json("tc -json qdisc show") if it["kind"] == "tbf"]
    rates = {it["options"]["rate"] for it in buckets}  # bytes a second
    assert rates == {1_000_000, 2_000_000}
    assert {node.host.link(it["dev"])["linkinfo"]["info_kind"] for it in buckets} == {"veth", "ifb"}
    assert reach.fetched(node.host, kubelet.addresses(pod)[0], 80) == GREETING
    remove(kubelet, pod)
    assert node.remains() == untouched


@pytest.mark.parametrize("internal", [False, True], ids=["loopback", "use_internal_loopback"])
def test_lo_is_up_whoever_is_told_to_do_it(
    internal: bool, containerd: Containerd, kubelet: Runtime, untouched: State, node: Node
) -> None:
    """containerd executes loopback and caches what it answered, or does without it."""
    if internal:
        if not containerd.knows("use_internal_loopback"):
            pytest.skip("this containerd has no use_internal_loopback")
        containerd.configure(f"{' ' * 6}use_internal_loopback = true\n")
    pod = kubelet.run_pod("web")
    inside = Found(kubelet.netns(pod))
    assert ping(inside, "127.0.0.1") is not None
    assert [name for name in os.listdir(RESULTS) if pod in name and name.endswith("-lo")] == (
        [] if internal else [f"cni-loopback-{pod}-lo"]
    )
    remove(kubelet, pod)
    assert node.remains() == untouched


def test_a_pod_is_attached_to_two_networks_at_once(
    node: Node, kubelet: Runtime, containerd: Containerd
) -> None:
    """max_conf_num = 2: containerd attaches both, and `lo`, at the same time."""
    outside = node.host.outside()
    place(PAGE, STORAGE)
    containerd.daemon.kill()
    containerd.restart()
    loaded(containerd, kubelet)
    remove(kubelet, kubelet.run_pod("first", ports=[(7999, 80)]))
    before = node.remains()
    pods = [kubelet.run_pod("web", ports=[(8080, 80)]), kubelet.run_pod("peer")]
    web, peer = (Found(kubelet.netns(pod)) for pod in pods)
    assert (web.links(), peer.links()) == (["eth0", "eth1"], ["eth0", "eth1"])
    storage = web.addresses("eth1")[0].partition("/")[0]
    assert storage.startswith("10.89.0.")
    assert ping(peer, storage) is not None
    site = Site(web, kubelet.addresses(pods[0]), 8080, peer)
    assert reach.troubles(node.host, outside, site) == []
    remove(kubelet, *pods)
    assert node.remains() == before


def test_some_tens_of_pods_at_once(node: Node, kubelet: Runtime, untouched: State) -> None:
    """Made and removed twelve at a time: no address and no port is given twice, and nothing stays."""
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        pods = list(
            pool.map(lambda n: kubelet.run_pod(f"pod{n}", ports=[(8000 + n, 80)]), range(PODS_AT_ONCE))
        )
        addresses = {address for pod in pods for address in kubelet.addresses(pod)}
        assert len(addresses) == 2 * PODS_AT_ONCE
        for n in range(PODS_AT_ONCE):
            assert reach.fetched(node.host, "127.0.0.1", 8000 + n) == GREETING
        list(pool.map(lambda pod: remove(kubelet, pod), pods))
    assert node.remains() == untouched


def test_a_port_that_is_taken_is_an_error_that_names_its_owner(
    node: Node, kubelet: Runtime, untouched: State
) -> None:
    """The pod that was refused leaves nothing, and its neighbour's port goes on answering."""
    first = kubelet.run_pod("first", ports=[(8080, 80)])
    with pytest.raises(grpc.RpcError) as refused:
        kubelet.run_pod("second", ports=[(8080, 80)])
    assert f"pods/{first}/eth0" in refused.value.details()
    for pod in kubelet.pods():
        if pod != first:
            remove(kubelet, pod)
    assert reach.fetched(node.host, "127.0.0.1", 8080) == GREETING
    remove(kubelet, first)
    assert node.remains() == untouched


def test_containerd_killed_in_the_middle_of_an_add(
    node: Node, containerd: Containerd, kubelet: Runtime, untouched: State
) -> None:
    """With the plugins that it had started. Started again it knows the pod, and kubelet removes it."""
    known = reserved()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(kubelet.run_pod, "web", [(8080, 80)])
        until(lambda: reserved() != known, "an address is reserved")
        containerd.daemon.kill()
        assert asked.exception()
    assert node.remains() != untouched
    containerd.restart()
    remove(kubelet, *kubelet.pods())
    assert node.remains() == untouched


def test_containerd_killed_in_the_middle_of_a_del(
    node: Node, containerd: Containerd, kubelet: Runtime, untouched: State
) -> None:
    pod = kubelet.run_pod("web", ports=[(8080, 80)])
    with ThreadPoolExecutor(1) as pool, open(RESERVATIONS / "pods" / "lock") as lock:
        flock(lock, LOCK_EX)  # so DEL comes as far as to its address, and waits
        asked = pool.submit(kubelet.stop_pod, pod)
        until(lambda: "8080" not in node.host.run("nft list ruleset"), "the port is taken down")
        containerd.daemon.kill()
        assert asked.exception()
    assert node.remains() != untouched
    containerd.restart()
    remove(kubelet, *kubelet.pods())
    assert node.remains() == untouched


def test_a_pod_whose_shim_was_killed_is_removed_like_any(
    node: Node, containerd: Containerd, kubelet: Runtime, untouched: State
) -> None:
    pod = kubelet.run_pod("web", ports=[(8080, 80)])
    kill(*processes(containerd.group, "containerd-shim"))
    remove(kubelet, pod)
    assert node.remains() == untouched
