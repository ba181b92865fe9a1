"""What was there before an attachment changed it, in a file that DEL reads, in the reference's form."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.attachment import Attachment
from core.errors import CNIError
from core.kernel import backup
from core.kernel.kernel import Kernel
from core.plan import apply
from core.plan.changed import LinkSettings, TunedSysctl
from core.plan.records import CONTAINER, Plan
from tests.harness.host import Container, Host

MAC = bytes.fromhex("020000000042")
LINK = LinkSettings(CONTAINER, "eth0", MAC, 1400, promiscuous=True, all_multicast=True, tx_queue_len=77)
SOMAXCONN = TunedSysctl("net/core/somaxconn", "512")
ATTACHMENT = Attachment("net", "c1", "eth0")
ADDRESS, BEFORE = "02:00:00:00:00:01", "128"


def of_netns(container: Container) -> Container:
    """With eth0, whose peer is in the host, and a somaxconn of 128."""
    peer = f"veth-{container.name}"
    container.run(f"ip link add eth0 address {ADDRESS} type veth peer name {peer}")
    container.sysctl("net/core/somaxconn", BEFORE)
    return container


@pytest.fixture
def container(host: Host) -> Container:
    return of_netns(host.container())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run" / "tuning"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def kernel(container: Container) -> Iterator[Kernel]:
    with Kernel(str(container.path)) as opened:
        yield opened


def settings(container: Container) -> tuple[Any, ...]:
    """What `ip` says of eth0, and the sysctl."""
    (link,) = container.ip("-d link show dev eth0")
    told = [link.get(key) for key in ("address", "mtu", "txqlen")]
    return *told, sorted({"PROMISC", "ALLMULTI"} & set(link["flags"])), container.sysctl(SOMAXCONN.key)


OLD: tuple[Any, ...] = (ADDRESS, 1500, 1000, [], BEFORE)
NEW = ("02:00:00:00:00:42", 1400, 77, ["ALLMULTI", "PROMISC"], "512")


def changed(
    kernel: Kernel, folder: Path, *wanted: Any, attachment: Attachment = ATTACHMENT
) -> list[bytes | None]:
    """Change what is wanted, all by default, and keep what was there; what stood in the file before."""
    earlier: list[bytes | None] = []

    def keep(before: list[Any]) -> None:
        earlier.append(backup.save(kernel, str(folder), attachment, before))

    apply.add(kernel, Plan(changed=wanted or (SOMAXCONN, LINK)), lambda: None, keep)
    return earlier


def restored(kernel: Kernel, folder: Path, attachment: Attachment = ATTACHMENT) -> None:
    assert backup.restore(kernel, str(folder), attachment) == []


def test_what_the_file_says_is_written_back(kernel: Kernel, container: Container, folder: Path) -> None:
    """T-2..T-9 T-11: in the reference's own form, for its owner alone; twice is once."""
    folder.rmdir()
    folder.parent.rmdir()
    changed(kernel, folder)
    assert settings(container) == NEW
    (file,) = folder.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("c1_eth0.json", 0o600)
    told = json.loads(file.read_text())
    assert told.pop("netns") > 0
    assert told == {
        "mac": ADDRESS,
        "promisc": False,
        "mtu": 1500,
        "allmulti": False,
        "txQLen": 1000,
        "sysctl": {"net/core/somaxconn": {"before": "128", "after": "512"}},
        "owner": "net/c1/eth0",
    }
    for _ in range(2):
        restored(kernel, folder)
        assert settings(container) == OLD
        assert list(folder.iterdir()) == []


def test_what_is_not_changed_is_not_kept(kernel: Kernel, folder: Path) -> None:
    changed(kernel, folder, LinkSettings(CONTAINER, "eth0", all_multicast=False, tx_queue_len=0))
    told = json.loads((folder / "c1_eth0.json").read_text())
    assert {key: told[key] for key in told if key not in ("owner", "netns")} == {
        "allmulti": False,
        "txQLen": 1000,
    }


def test_a_second_add_keeps_what_the_first_one_found(
    kernel: Kernel, container: Container, folder: Path
) -> None:
    """What a killed ADD has left is older, and so the truth; what the second adds is kept as well."""
    assert changed(kernel, folder, LinkSettings(CONTAINER, "eth0", mtu=1400)) == [None]
    (earlier,) = changed(kernel, folder)
    assert json.loads(earlier or b"")["mtu"] == 1500
    changed(kernel, folder, TunedSysctl(SOMAXCONN.key, "1024"))
    restored(kernel, folder)
    assert settings(container) == OLD


def test_a_file_of_a_namespace_that_is_gone_says_nothing(
    host: Host, kernel: Kernel, container: Container, folder: Path
) -> None:
    """The same container ID and name, and the path of another namespace: its links are others'."""
    changed(kernel, folder)
    other = of_netns(host.container("other"))
    with Kernel(str(other.path)) as elsewhere:
        file = (folder / "c1_eth0.json").read_bytes()
        restored(elsewhere, folder)
        assert (settings(other), list(folder.iterdir()), settings(container)) == (OLD, [], NEW)
        (folder / "c1_eth0.json").write_bytes(file)
        other.run("ip link set eth0 mtu 1300")
        changed(elsewhere, folder)
        restored(elsewhere, folder)
        assert settings(other)[1] == 1300


def test_what_belongs_to_another_owner_is_left_alone(
    kernel: Kernel, container: Container, folder: Path
) -> None:
    """A DEL follows each ADD that failed, as because another network has that interface already."""
    changed(kernel, folder)
    file = (folder / "c1_eth0.json").read_bytes()
    restored(kernel, folder, Attachment("other", "c1", "eth0"))
    assert (settings(container), (folder / "c1_eth0.json").read_bytes()) == (NEW, file)


def test_two_attachments_whose_files_have_one_name(kernel: Kernel, folder: Path) -> None:
    changed(kernel, folder, SOMAXCONN, attachment=Attachment("net", "c1", "a_eth0"))
    with pytest.raises(CNIError, match="c1_a_eth0.json is the file of net/c1/a_eth0"):
        changed(kernel, folder, SOMAXCONN, attachment=Attachment("net", "c1_a", "eth0"))


def test_a_sysctl_that_another_has_set_since_stays(
    kernel: Kernel, container: Container, folder: Path
) -> None:
    """It is the whole namespace's: a second network of the container may want it otherwise."""
    changed(kernel, folder)
    container.sysctl(SOMAXCONN.key, 1024)
    restored(kernel, folder)
    assert settings(container) == (*OLD[:-1], "1024")


@pytest.mark.parametrize("order", [1, -1])
def test_a_sysctl_that_sets_others_is_written_back_before_them(
    kernel: Kernel, container: Container, folder: Path, order: int
) -> None:
    keys = [f"net/ipv4/conf/{name}/forwarding" for name in ("all", "eth0")]
    for key, value in zip(keys, "01"):
        container.sysctl(key, value)
    changed(kernel, folder, *[TunedSysctl(key, value) for key, value in zip(keys, "10")][::order])
    restored(kernel, folder)
    assert [container.sysctl(key) for key in keys] == ["0", "1"]


def test_what_is_written_back_goes_with_its_link(kernel: Kernel, container: Container, folder: Path) -> None:
    changed(kernel, folder)
    (folder / f"c1_eth0.json{backup._ending('net')}").write_text("{")  # of a save that was killed
    container.run("ip link del eth0")
    restored(kernel, folder)
    assert (list(folder.iterdir()), container.sysctl(SOMAXCONN.key)) == ([], BEFORE)


def test_one_setting_that_is_refused_keeps_the_file_and_not_the_others(
    kernel: Kernel, container: Container, folder: Path
) -> None:
    changed(kernel, folder)
    file = folder / "c1_eth0.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "mtu": 70000}))
    (failure,) = backup.restore(kernel, str(folder), ATTACHMENT)
    assert failure.msg.startswith("cannot write back LinkSettings(container, eth0, mtu 70000): Invalid")
    assert (settings(container), file.exists()) == ((ADDRESS, 1400, 1000, [], BEFORE), True)


WRONG = [
    ('{"mtu": "1500"}', 'mtu: found "1500"'),
    ('{"promisc": 1}', "promisc: found 1"),
    ('{"mac": "01:00:00:00:00:01"}', 'mac: found "01:'),
    ('{"mac": 7}', "mac: found 7"),
    ('{"txQLen": -1}', "txQLen: found -1"),
    ('{"owner": 1}', "owner: found 1"),
    ('{"netns": true}', "netns: found true"),
    ('{"sysctl": {"kernel/x": {"before": "1", "after": "2"}}}', "sysctl: found "),
    ('{"sysctl": {"net/../kernel/x": {"before": "1", "after": "2"}}}', "sysctl: found "),
    ('{"sysctl": {"net/x": {"before": "1"}}}', "sysctl: found "),
    ('{"sysctl": []}', "sysctl: found []"),
    ("[]", "c1_eth0.json"),
    ('{"mtu": 15', "c1_eth0.json"),
    ("", "it is empty"),
]


@pytest.mark.parametrize(("content", "named"), WRONG)
def test_a_damaged_file_is_named_and_changes_nothing(
    kernel: Kernel, container: Container, folder: Path, content: str, named: str
) -> None:
    file = folder / "c1_eth0.json"
    file.write_text(content)
    works: list[Callable[[], object]] = [lambda: changed(kernel, folder)]
    works.append(lambda: backup.restore(kernel, str(folder), ATTACHMENT))
    for work in works:
        with pytest.raises(CNIError) as refused:
            work()
        assert named in refused.value.msg
        assert (settings(container), file.read_text()) == (OLD, content)
    container.run("ip link del eth0")
    restored(kernel, folder)
    assert not file.exists()


def test_a_file_of_the_reference_is_read(kernel: Kernel, container: Container, folder: Path) -> None:
    """A node that switches suites: keys that were not changed are left out there, or null."""
    container.run("ip link set eth0 mtu 1400")
    (folder / "c1_eth0.json").write_text('{"mtu":1500,"mac":null,"unknown":[1]}')
    restored(kernel, folder)
    assert settings(container) == OLD


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
def test_a_folder_that_is_none_is_named(
    kernel: Kernel, container: Container, folder: Path, kind: str
) -> None:
    if kind == "file":
        folder.rmdir()
        folder.write_text("")
    elif kind == "folder":
        (folder / "c1_eth0.json").mkdir()
    else:
        container.run(f"mkfifo {folder}/c1_eth0.json")
    with pytest.raises(CNIError) as refused:
        changed(kernel, folder)
    assert refused.value.code in (6, 107)
    assert str(folder) in refused.value.msg
    assert settings(container) == OLD


def test_gc_removes_what_no_valid_attachment_of_the_network_keeps(kernel: Kernel, folder: Path) -> None:
    """Of other networks nothing, nor what the reference has made: it does not say whose it is."""
    for network, container_id in (("net", "c1"), ("net", "c2"), ("net2", "c3")):
        changed(kernel, folder, SOMAXCONN, attachment=Attachment(network, container_id, "eth0"))
    for name in ("c4_eth0.json", "c5_eth0.txt", f"c6_eth0.json{backup._ending('net2')}"):
        (folder / name).write_text('{"mtu": 1500}')
    (folder / f"c7_eth0.json{backup._ending('net')}").write_text("{")
    assert backup.collect(str(folder), "net", {"net/c2/eth0"}) == []
    left = {file.name.partition("_")[0] for file in folder.iterdir()}
    assert left == {"c2", "c3", "c4", "c5", "c6"}
    assert backup.collect(str(folder / "absent"), "net", set()) == []
