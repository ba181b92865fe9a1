"""A store against a plain dict, while others change its directory: nothing given twice, lost or left."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import address
from core.attachment import Attachment
from core.cni.config import Section
from ipam.host_local import index, ranges, reservation
from ipam.host_local.exhaustion import taken
from ipam.host_local.store import Store, View

V4 = ranges.configured(
    Section({"ipam": {"ranges": [[{"subnet": "10.7.0.0/28"}, {"subnet": "10.9.0.0/29"}]]}}), "1.0.0"
)[0]
V6 = ranges.configured(Section({"ipam": {"ranges": [[{"subnet": "fd00::/124"}]]}}), "1.0.0")[0]
NAMES = [f"10.7.0.{host}" for host in range(2, 9)] + [f"fd00::{host}" for host in range(2, 9)]
owners = st.builds(
    Attachment,
    st.just("n1"),
    st.sampled_from(["c1", "c2", "c3"]),
    st.sampled_from(["eth0", "eth1"]),
    st.just("/run/netns/x"),
)


class Reservations(RuleBasedStateMachine):
    """model: name of a file -> its content.

    Foreign rules do what the Go plugin, an older release or an administrator does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.path)

    def held(self, owner: Attachment) -> list[str]:
        for content in reservation.contents(owner.container_id, owner.ifname):
            found = [name for name, other in self.model.items() if other == content]
            if found:
                return sorted(found)
        return []

    def free(self, of: tuple[ranges.Range, ...], number: int) -> str | None:
        """What the Go plugin would give next."""
        try:
            after = address.parse((self.path / f"last_reserved_ip.{number}").read_text())
        except (OSError, ValueError):
            after = None
        for member, low, high in ranges.spans(of, after):
            for each in range(low, high + 1):
                name = address.text(each.to_bytes(len(member.start), "big"))
                if name not in self.model:
                    return name
        return None

    @rule(owner=owners)
    def reserve(self, owner: Attachment) -> None:
        with Store(str(self.path)) as store:
            assert sorted(address.text(packed) for packed in store.owned(owner)[1]) == self.held(owner)
            found = [store.first_free(of, number) for number, of in enumerate((V4, V6))]
            names = [choice and address.text(choice[0]) for choice in found]
            assert names == [self.free(V4, 0), self.free(V6, 1)]
            if not all(found):
                return
            store.reserve(owner, {number: choice[0] for number, choice in enumerate(found) if choice})
        for name in names:
            self.model[name or ""] = reservation.contents(owner.container_id, owner.ifname)[0]

    @rule(owner=owners)
    def release(self, owner: Attachment) -> None:
        with Store(str(self.path)) as store:
            content, found = store.owned(owner)
            assert sorted(address.text(packed) for packed in found) == self.held(owner)
            assert store.release([(packed, content) for packed in found]) == []
        for name in self.held(owner):
            del self.model[name]

    @rule(name=st.sampled_from(NAMES), owner=owners, legacy=st.booleans())
    def others_reserve(self, name: str, owner: Attachment, legacy: bool) -> None:
        if name in self.model:
            return
        self.model[name] = reservation.contents(owner.container_id, owner.ifname)[legacy]
        (self.path / name).write_bytes(self.model[name])

    @rule(name=st.sampled_from(NAMES))
    def others_leave_a_torn_file(self, name: str) -> None:
        if name not in self.model:
            self.model[name] = b""
            (self.path / name).touch()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def others_release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        (self.path / name).unlink()
        del self.model[name]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), owner=owners)
    def others_hand_an_address_over(self, data: st.DataObject, owner: Attachment) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        (self.path / name).unlink()
        self.model[name] = reservation.contents(owner.container_id, owner.ifname)[0]
        (self.path / name).write_bytes(self.model[name])

    @rule(rubbish=st.sampled_from([b"", b"rubbish", index.MAGIC * 100, None]))
    def the_index_breaks(self, rubbish: bytes | None) -> None:
        file = self.path / index.FILE
        file.unlink(missing_ok=True) if rubbish is None else file.write_bytes(rubbish)

    @rule(size=st.integers(0, 20000))
    def the_index_is_cut(self, size: int) -> None:
        if (self.path / index.FILE).exists():
            os.truncate(self.path / index.FILE, size)

    @rule(
        content=st.sampled_from([b"", b"10.7.0.5", b"rubbish", b"fd00::9", b"\xff\xfe", b"203.0.113.5"]),
        number=st.integers(0, 1),
    )
    def the_last_address_changes(self, content: bytes, number: int) -> None:
        (self.path / f"last_reserved_ip.{number}").write_bytes(content)

    @rule()
    def a_run_was_killed(self) -> None:
        (self.path / ".new").write_bytes(b"c1\r\neth0")

    @rule()
    def somebody_looks(self) -> None:
        before = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(self.path)}
        with View(str(self.path)) as view:
            assert taken(view, V4) == sum(1 for name in self.model if ":" not in name)
        assert {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(self.path)} == before

    @invariant()
    def files_are_as_the_model_says(self) -> None:
        files = {
            path.name: path.read_bytes() for path in self.path.iterdir() if reservation.packed(path.name)
        }
        assert files == self.model


Reservations.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestReservations = Reservations.TestCase
