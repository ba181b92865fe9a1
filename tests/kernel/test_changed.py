"""What is not ours is changed and written back: settings of links, memberships, links that are moved."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.attachment import Attachment
from core.errors import KERNEL_REFUSED, CNIError
from core.kernel import backup
from core.kernel.kernel import Kernel
from core.plan import apply, difference
from core.plan.changed import Before, LinkSettings, Master, Membership, Moved
from core.plan.records import CONTAINER, HOST, Plan
from core.record import replace
from tests.harness.host import Container, Host

MAC = bytes.fromhex("020000000042")
WANTED = LinkSettings(CONTAINER, "eth0", MAC, 1400, promiscuous=True, all_multicast=True, tx_queue_len=77)
ATTACHMENT = Attachment("net", "c1", "eth0")
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


# -- the file --------------------------------------------------------------------------------------


def changed_and_kept(kernel: Kernel, folder: Path, wanted: LinkSettings = WANTED) -> None:
    def keep(before: list[Before]) -> None:
        for each in before:
            assert isinstance(each.found, LinkSettings)
            backup.save(str(folder), ATTACHMENT, each.found)

    apply.add(kernel, Plan(changed=(wanted,)), lambda: None, keep)


def test_del_writes_back_what_the_file_says(kernel: Kernel, container: Container, tmp_path: Path) -> None:
    """T-2 to T-9 T-11: in the reference's own format, for the owner alone; twice is once."""
    before, folder = settings(container), tmp_path / "run" / "tuning"
    changed_and_kept(kernel, folder)
    (file,) = folder.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("c1_eth0.json", 0o600)
    assert json.loads(file.read_text()) == {
        "mac": before["address"],
        "promisc": False,
        "mtu": before["mtu"],
        "allmulti": False,
        "txQLen": before["txqlen"],
    }
    for _ in range(2):
        backup.restore(kernel, str(folder), ATTACHMENT, LinkSettings(CONTAINER, "eth0"))
        assert settings(container) == before
        assert list(folder.iterdir()) == []


def test_a_second_add_keeps_what_the_first_one_found(
    kernel: Kernel, container: Container, tmp_path: Path
) -> None:
    """What a killed ADD has left is older, and so the truth."""
    before = settings(container)
    changed_and_kept(kernel, tmp_path, LinkSettings(CONTAINER, "eth0", mtu=1400))
    changed_and_kept(kernel, tmp_path)
    backup.restore(kernel, str(tmp_path), ATTACHMENT, LinkSettings(CONTAINER, "eth0"))
    assert settings(container) == before


def test_what_is_restored_goes_with_a_link_that_is_gone(
    kernel: Kernel, container: Container, tmp_path: Path
) -> None:
    folder = tmp_path / "tuning"
    changed_and_kept(kernel, folder)
    (folder / "c1_eth0.json.new").write_text("{")  # of a save that was killed
    container.run("ip link del eth0")
    backup.restore(kernel, str(folder), ATTACHMENT, LinkSettings(CONTAINER, "eth0"))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"mtu": "1500"}', "mtu: found '1500'"),
        ('{"promisc": 1}', "promisc: found 1"),
        ('{"mac": "01:00:00:00:00:01"}', "mac: invalid MAC"),
        ('{"txQLen": -1}', "txQLen: found -1"),
        ("[]", "c1_eth0.json"),
        ('{"mtu": 15', "c1_eth0.json"),
    ],
)
def test_a_damaged_file_is_named_and_changes_nothing(
    kernel: Kernel, container: Container, tmp_path: Path, content: str, named: str
) -> None:
    before = settings(container)
    (tmp_path / "c1_eth0.json").write_text(content)
    with pytest.raises(CNIError) as refused:
        backup.restore(kernel, str(tmp_path), ATTACHMENT, LinkSettings(CONTAINER, "eth0"))
    assert named in refused.value.msg
    assert settings(container) == before
    assert (tmp_path / "c1_eth0.json").read_text() == content


def test_a_file_of_the_reference_is_read(kernel: Kernel, container: Container, tmp_path: Path) -> None:
    """A node that switches suites: keys that were not changed are left out there, or null."""
    before = settings(container)
    container.run("ip link set eth0 mtu 1400")
    (tmp_path / "c1_eth0.json").write_text(f'{{"mtu":{before["mtu"]},"mac":null}}')
    backup.restore(kernel, str(tmp_path), ATTACHMENT, LinkSettings(CONTAINER, "eth0"))
    assert settings(container) == before


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
