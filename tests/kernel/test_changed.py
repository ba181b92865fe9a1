"""What is not ours is changed and written back: settings of links, memberships, links that are moved."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import KERNEL_REFUSED, CNIError
from core.kernel.kernel import Kernel
from core.kernel.tuned import is_same
from core.plan import apply, difference
from core.plan.changed import LinkSettings, Master, Membership, Moved, TunedSysctl
from core.plan.records import CONTAINER, HOST, Plan
from core.record import replace
from tests.harness.host import Container, Host

MAC = bytes.fromhex("020000000042")
WANTED = LinkSettings(CONTAINER, "eth0", MAC, 1400, promiscuous=True, all_multicast=True, tx_queue_len=77)
MASTER = Master(HOST, "all0", "bridge", "")


@pytest.fixture
def container(host: Host) -> Container:
    """With eth0, whose peer is veth0 in the host."""
    made = host.container()
    host.run(f"ip link add veth0 type veth peer name eth0 netns {made.path}")
    return made


@pytest.fixture
def kernel(container: Container) -> Iterator[Kernel]:
    with Kernel(str(container.path)) as opened:
        yield opened


def settings(container: Container) -> dict[str, Any]:
    """What `ip` says of eth0."""
    (link,) = container.ip("-d link show dev eth0")
    told = {key: link.get(key) for key in ("address", "mtu", "promiscuity", "allmulti", "txqlen")}
    return told | {"flags": sorted({"PROMISC", "ALLMULTI"} & set(link["flags"]))}


def fail() -> None:
    raise CNIError(KERNEL_REFUSED, "something else went wrong")


def test_settings_are_written_and_compared(kernel: Kernel, container: Container) -> None:
    apply.add(kernel, Plan(changed=(WANTED,)), lambda: None)
    found = settings(container)
    assert (found["address"], found["mtu"], found["txqlen"]) == ("02:00:00:00:00:42", 1400, 77)
    assert found["flags"] == ["ALLMULTI", "PROMISC"]
    assert kernel.find(WANTED) == WANTED
    assert difference.check(kernel, Plan(changed=(WANTED,))) == []
    container.run("ip link set eth0 mtu 1300")
    (told,) = difference.check(kernel, Plan(changed=(WANTED,)))
    assert told.startswith("eth0: mtu is 1300, not 1400: want LinkSettings(container, eth0, ")


def test_what_nobody_wants_is_left_alone(kernel: Kernel, container: Container) -> None:
    before = settings(container)
    apply.add(kernel, Plan(changed=(LinkSettings(CONTAINER, "eth0", mtu=1400),)), lambda: None)
    assert settings(container) == before | {"mtu": 1400}


def test_a_failure_brings_the_old_settings_back(kernel: Kernel, container: Container) -> None:
    """Newest first: the second record of the same link saw what the first had written."""
    before = settings(container)
    kept: list[Any] = []
    further = LinkSettings(HOST, "veth0", mtu=1300)
    with pytest.raises(CNIError, match="something else"):
        apply.add(kernel, Plan(changed=(WANTED, further)), fail, kept.extend)
    assert settings(container) == before
    assert [each.record for each in kept] == [WANTED, further]
    assert kept[0].found == replace(kernel.find(WANTED))


def test_a_record_that_is_refused_half_way_is_written_back_too(kernel: Kernel, container: Container) -> None:
    """The kernel takes the MAC before it refuses the MTU."""
    before = settings(container)
    with pytest.raises(CNIError, match=r"cannot write LinkSettings\(container, eth0, mac 02:00:00:00:00:42"):
        apply.add(kernel, Plan(changed=(replace(WANTED, mtu=70000),)), lambda: None)
    assert settings(container) == before


def test_a_link_that_is_absent_is_named(kernel: Kernel) -> None:
    absent = replace(WANTED, link="eth7")
    with pytest.raises(CNIError, match="eth7"):
        apply.add(kernel, Plan(changed=(absent,)), lambda: None)
    (told,) = difference.check(kernel, Plan(changed=(absent,)))
    assert told.startswith("eth7 is gone: want ")


# -- sysctls ---------------------------------------------------------------------------------------

RANGE = "net/ipv4/ip_local_port_range"


def test_a_sysctl_is_written_compared_and_written_back(kernel: Kernel, container: Container) -> None:
    before = container.sysctl(RANGE)
    wanted = Plan(changed=(TunedSysctl(RANGE, "1024 65000"), TunedSysctl("net/core/somaxconn", "0x200")))
    apply.add(kernel, wanted, lambda: None)
    assert (container.sysctl(RANGE), container.sysctl("net/core/somaxconn")) == ("1024\t65000", "512")
    assert difference.check(kernel, wanted) == []  # whatever white space and base the kernel tells it in
    container.sysctl("net/core/somaxconn", 128)
    (told,) = difference.check(kernel, wanted)
    assert told.startswith(
        "net/core/somaxconn is 128, not 0x200: want TunedSysctl(net/core/somaxconn, 0x200)"
    )
    container.sysctl(RANGE, before)
    with pytest.raises(CNIError, match="something else"):
        apply.add(kernel, wanted, fail)
    assert (container.sysctl(RANGE), container.sysctl("net/core/somaxconn")) == (before, "128")


@pytest.mark.parametrize(
    ("want", "found", "same"),
    [
        ("1", "1", True),
        ("010", "8", True),
        ("-1", "-1", True),
        ("cubic", "cubic", True),
        ("cubic", "reno", False),
        ("1 2", "1", False),
        ("08", "8", False),
        ("1024,2048", "1024", False),
        ("80,8081,8080,9", "9,80,8080-8081", True),
        ("80,8081", "80,8080-8081", False),
        ("80-4000000000", "80", False),
        ("a,b", "a,b,", False),
        (f"1,{'9' * 5000}", "1", False),
    ],
)
def test_values_are_compared_as_the_kernel_reads_them(want: str, found: str, same: bool) -> None:
    assert is_same(want, found) is same


def test_a_sysctl_that_can_only_be_written_is_written(kernel: Kernel, container: Container) -> None:
    """There is nothing to be written back."""
    flush = TunedSysctl("net/ipv4/route/flush", "1")
    kept: list[Any] = []
    apply.add(kernel, Plan(changed=(flush,)), lambda: None, kept.extend)
    assert [each.found for each in kept] == [None]


# -- members and masters ---------------------------------------------------------------------------


def master_of(host: Host, link: str) -> str:
    (found,) = host.ip(f"link show dev {link}")
    return str(found.get("master", ""))


def test_a_membership_is_written_and_written_back(kernel: Kernel, host: Host) -> None:
    host.run("ip link add br7 type bridge")
    host.run("ip link set veth0 master br7")
    joined = Plan((MASTER,), changed=(Membership(HOST, "veth0", "all0"),))
    apply.add(kernel, joined, lambda: None)
    assert master_of(host, "veth0") == "all0"
    assert difference.check(kernel, joined) == []
    for old in ("br7", ""):
        host.run(f"ip link set veth0 {f'master {old}' if old else 'nomaster'}")
        with pytest.raises(CNIError, match="something else"):
            apply.add(kernel, joined, fail)
        assert master_of(host, "veth0") == old


def links(host: Host) -> set[str]:
    return {link["ifname"] for link in host.ip("link show")}


def test_a_master_goes_with_its_last_member(kernel: Kernel, host: Host) -> None:
    """The second attachment finds it; who leaves last takes it along. A failed ADD counts as leaving."""
    host.run("ip link add other0 type veth peer name other1")
    for link in ("veth0", "other0"):
        apply.add(kernel, Plan((MASTER,), changed=(Membership(HOST, link, "all0"),)), lambda: None)
    host.run("ip link set veth0 nomaster")
    assert apply.delete(kernel, (MASTER,)) == []
    assert "all0" in links(host)
    host.run("ip link set other0 nomaster")
    assert apply.delete(kernel, (MASTER,)) == []
    assert "all0" not in links(host)
    assert apply.delete(kernel, (MASTER,)) == []
    with pytest.raises(CNIError, match="something else"):
        apply.add(kernel, Plan((MASTER,), changed=(Membership(HOST, "veth0", "all0"),)), fail)
    assert "all0" not in links(host)


def test_a_failed_add_leaves_the_master_to_the_others(kernel: Kernel, host: Host) -> None:
    host.run("ip link add other0 type veth peer name other1")
    apply.add(kernel, Plan((MASTER,), changed=(Membership(HOST, "other0", "all0"),)), lambda: None)
    with pytest.raises(CNIError, match="something else"):
        apply.add(kernel, Plan((MASTER,), changed=(Membership(HOST, "veth0", "all0"),)), fail)
    assert (master_of(host, "other0"), master_of(host, "veth0")) == ("all0", "")


def test_a_master_that_vanishes_before_its_member_joins_is_made_again(
    container: Container, host: Host
) -> None:
    """Another attachment's DEL took it away between the look and the change."""

    class Hasty(Kernel):
        vanished = 0

        def create(self, *records: Any) -> None:
            if type(records[0]) is Membership and self.vanished < 2:
                self.vanished += 1
                host.run("ip link del all0")
            super().create(*records)

    with Hasty(str(container.path)) as kernel:
        apply.add(kernel, Plan((MASTER,), changed=(Membership(HOST, "veth0", "all0"),)), lambda: None)
        assert (kernel.vanished, master_of(host, "veth0")) == (2, "all0")


# -- links that are moved --------------------------------------------------------------------------


@pytest.fixture
def device(host: Host) -> str:
    """A link of the host that stands for a physical one."""
    host.run("ip link add dev7 type veth peer name cable7")
    return "dev7"


def test_a_link_is_moved_and_comes_back_under_its_name(
    kernel: Kernel, host: Host, container: Container, device: str
) -> None:
    """H-1 and its like: as the reference does, the alias in the container tells the old name."""
    moved = Moved(device, "net1")
    apply.add(kernel, Plan(changed=(moved,)), lambda: None)
    (found,) = container.ip("link show dev net1")
    assert (found["ifalias"], device in links(host)) == (device, False)
    assert difference.check(kernel, Plan(changed=(moved,))) == []
    for _ in range(2):
        assert apply.delete(kernel, (moved,)) == []
        (back,) = host.ip(f"link show dev {device}")
        assert "ifalias" not in back
    assert {link["ifname"] for link in container.ip("link show")} == {"lo", "eth0"}


def test_a_link_that_was_moved_and_cannot_have_its_name_comes_back(
    kernel: Kernel, host: Host, container: Container, device: str
) -> None:
    """The kernel answers EEXIST, with the link in the container already."""
    before = host.ip("link show")
    with pytest.raises(CNIError, match=r"cannot write Moved\(dev7, eth0\): File exists"):
        apply.add(kernel, Plan(changed=(Moved(device, "eth0"),)), lambda: None)
    assert {link["ifname"] for link in container.ip("link show")} == {"lo", "eth0"}
    names = {link["ifname"]: link.get("ifalias") for link in host.ip("link show")}
    assert names == {link["ifname"]: link.get("ifalias") for link in before}


def test_somebody_elses_link_of_that_name_stays(kernel: Kernel, container: Container, device: str) -> None:
    """Its alias is not the old name of ours."""
    container.run("ip link set eth0 alias mine")
    assert apply.delete(kernel, (Moved(device, "eth0"),)) == []
    assert {link["ifname"] for link in container.ip("link show")} == {"lo", "eth0"}
