"""What happens to the nodes of the model: deaths, reboots, and what other people do to them."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.torture.model.knowledge import (
    EDITS,
    NETWORKS,
    STEPS,
    Reservation,
    attachments,
    hows,
    indexes,
    one_of,
    pairs,
)
from tests.torture.model.verbs import Verbs
from tests.torture.testbed import Attachment


class Accidents(Verbs):
    @rule(which=indexes)
    def a_container_dies(self, which: int) -> None:
        """Nobody is told; rules and reservations stay until DEL or GC."""
        for name in one_of(which, {at.container for at in self.alive}):
            self.die(name)

    def die(self, name: str) -> None:
        STEPS["container died"] += 1
        self.bed.kill(name)
        for at in [at for at in self.alive if at.container == name]:
            self.drop_link(at)

    @rule(which=indexes, heir=attachments, how=hows)
    def ports_are_inherited(self, which: int, heir: Attachment, how: str) -> None:
        """A container with ports dies, and before anybody deletes it another one asks for them."""
        for at in one_of(which, [at for at, alive in self.alive.items() if alive.ports]):
            ports = self.alive[at].ports
            self.die(at.container)
            self.add(heir, ports, how)

    @rule(at=attachments.map(lambda at: at._replace(network="m")), how=hows)
    def who_was_made_by_go_dies_and_comes_back(self, at: Attachment, how: str) -> None:
        """To us: its address is still reserved, for all that can be told."""
        self.add_with_go(at)
        if at in self.alive and self.alive[at].how == "go":
            self.die(at.container)
            self.add(at, (), how)

    @rule(really=st.integers(0, 3), chosen=st.lists(pairs, max_size=8, unique=True), how=hows)
    def reboot(self, really: int, chosen: list[tuple[str, str]], how: str) -> None:
        """Fresh namespaces and rules, the same disk.

        Then containers come, maybe more than there is room for beside the dead ones' addresses.
        """
        if really or not self.files:
            return
        STEPS["reboot"] += 1
        self.bed.stop()
        self.bed.start()
        self.alive, self.elements = {}, {}
        self.squatters, self.edited = set(), set()
        self.crowd(chosen, (), how)

    @rule(really=st.integers(0, 3))
    def the_rules_are_flushed(self, really: int) -> None:
        if really or not self.alive:
            return
        STEPS["flush"] += 1
        self.bed.host.run("nft flush ruleset")
        self.edited.clear()
        for at, alive in self.alive.items():
            self.alive[at] = alive._replace(whole=alive.whole and not self.elements.get(at))
        self.elements = {}

    @rule(edit=st.sampled_from(EDITS))
    def the_rules_are_edited(self, edit: tuple[str, str]) -> None:
        """By somebody who does not know us: chains of ours keep their names, but do something else."""
        table, command = edit
        self.bed.host.run(f"nft '{command}' 2>/dev/null && touch {self.folder}/edited || true")
        if (self.folder / "edited").exists():
            (self.folder / "edited").unlink()
            STEPS["edit of rules"] += 1
            self.edited.add(table)

    @rule(at=attachments, names=st.integers(0, 3), really=st.booleans(), how=hows)
    def somebody_has_the_name(self, at: Attachment, names: int, really: bool, how: str) -> None:
        """Of a host veth that is about to be made, or all that it may have; and lets go of them later."""
        if not really:
            for name in self.squatters:
                self.bed.host.run(f"ip link delete {name}")
            self.squatters.clear()
            return
        STEPS["squatter"] += 1
        for name in self.free_names(at)[: 4 if names == 0 else 1]:
            self.bed.host.run(f"ip link add {name} type bridge")
            self.squatters.add(name)
        self.add(at, (), how)

    @rule(network=st.sampled_from(NETWORKS), host=st.integers(2, 6))
    def a_file_is_torn(self, network: str, host: int) -> None:
        """As a crash of somebody else leaves it."""
        name = f"10.{NETWORKS.index(network) + 1}.0.{host}"
        if (network, name) not in self.files:
            STEPS["torn file"] += 1
            (self.bed.data / network).mkdir(parents=True, exist_ok=True)
            (self.bed.data / network / name).touch()
            self.files[network, name] = Reservation(b"")
