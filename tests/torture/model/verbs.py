"""Every other verb of the model, one at a time and several at once."""

import json

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.torture.model.additions import Additions
from tests.torture.model.knowledge import (
    GO_IS_HERE,
    INET,
    NETWORKS,
    SIZES,
    STEPS,
    TABLES,
    attachments,
    hows,
    indexes,
    most_pairs,
    one_of,
    pairs,
)
from tests.torture.testbed import Attachment

NOT_AVAILABLE = 50


class Verbs(Additions):
    @rule(
        at=attachments,
        how=st.sampled_from(("in process", "in process", "executed")),
        netns=st.sampled_from(("its own", "", "/nowhere")),
        known=st.booleans(),
        mapped=st.booleans(),
    )
    def delete(self, at: Attachment, how: str, netns: str, known: bool, mapped: bool) -> None:
        """With what the runtime still knows; whoever made it."""
        foreign = at in self.alive and self.alive[at].how == "go"  # its link has a name that nobody knows
        STEPS["DEL"] += 1
        self.remove(at, how, "its own" if foreign else netns, known, mapped)

    @rule(which=indexes)
    def delete_with_go(self, which: int) -> None:
        for at in one_of(which, [at for at in self.alive if at.network == "m" and GO_IS_HERE]):
            STEPS["DEL by Go"] += 1
            self.remove(at, "go")

    def remove(
        self, at: Attachment, how: str, netns: str = "its own", known: bool = True, mapped: bool = True
    ) -> None:
        there = self.bed.containers.get(at.container)
        path = str(there.path) if there and netns == "its own" else "" if netns == "its own" else netns
        alive = self.alive.get(at)
        keys = {"prevResult": alive.result} if alive and known else {}
        for number in reversed(range(len(self.bed.networks[at.network]))):
            config = self.bed.request(at, number, alive.ports if alive and mapped else (), **keys)
            answer = self.bed.call("DEL", at, config, path, how)
            assert answer == (0, None), answer
        for where in self.reserved(at):
            del self.files[where]
        self.elements.pop(at, None)
        self.alive.pop(at, None)
        # The Go suite takes an interface of that name, whosever it is; ours does so with the Go suite's.
        if there and netns == "its own":
            same_name = [other for other in self.alive if other[1:] == at[1:]]
            for other in [other for other in same_name if "go" in (how, self.alive[other].how)]:
                self.drop_link(other)

    @rule(how=hows)
    def check(self, how: str) -> None:
        """Of everybody."""
        for at in self.ours():
            alive = self.alive[at]
            STEPS["CHECK"] += 1
            for number in range(len(self.bed.networks[at.network])):
                config = self.bed.request(at, number, alive.ports, prevResult=alive.result)
                code, document = self.bed.call(
                    "CHECK", at, config, str(self.bed.container(at.container).path), how
                )
                needed = (TABLES[at.network], {INET} if alive.ports else set())[number]
                missing = not alive.whole and not (number == 1 and not alive.ports)
                wanted = int(missing or bool(needed & self.edited))
                assert code == wanted, (code, document)

    @rule(
        which=indexes,
        how=hows,
        netns=st.sampled_from(("its own", "", "/nowhere")),
        known=st.booleans(),
        mapped=st.booleans(),
    )
    def delete_what_is_alive(self, which: int, how: str, netns: str, known: bool, mapped: bool) -> None:
        for at in one_of(which, self.ours()):
            STEPS["DEL"] += 1
            self.remove(at, how, netns, known, mapped)

    @rule(at=attachments, how=hows)
    def check_of_what_is_gone(self, at: Attachment, how: str) -> None:
        others = [alive for other, alive in self.alive.items() if other.network == at.network]
        if at in self.alive or not others:
            return
        config = self.bed.request(at, 0, (), prevResult=others[0].result)
        code, document = self.bed.call("CHECK", at, config, str(self.bed.container(at.container).path), how)
        assert code == 1, (code, document)
        STEPS["CHECK refused"] += 1

    @rule(network=st.sampled_from(NETWORKS), keep=st.sets(pairs) | most_pairs, how=hows)
    def collect(self, network: str, keep: set[tuple[str, str]], how: str) -> None:
        """GC of one network; what the Go plugins made there is alive, as only they know its link."""
        valid = keep | {at[1:] for at, alive in self.alive.items() if alive.how == "go"}
        sent = [{"containerID": container, "ifname": ifname} for container, ifname in sorted(valid)]
        self.collected(network, valid, sent, how)

    @rule(network=st.sampled_from(NETWORKS), really=st.integers(0, 2), how=hows)
    def collect_all(self, network: str, really: int, how: str) -> None:
        """As libcni writes a list in which nobody is."""
        if not really and not any(alive.how == "go" for alive in self.alive.values()):
            STEPS["GC with null"] += 1
            self.collected(network, set(), None, how)

    def collected(self, network: str, valid: set[tuple[str, str]], sent: object, how: str) -> None:
        STEPS["GC"] += 1
        keys = {"cni.dev/valid-attachments": sent}
        at = Attachment(network, "", "")
        for number in range(len(self.bed.networks[network])):
            answer = self.bed.call("GC", at, self.bed.request(at, number, (), **keys), "", how)
            assert answer == (0, None), answer
        contents = {Attachment(network, *each).content for each in valid}
        for where in [where for where in self.files if where[0] == network]:
            if self.files[where].content not in contents:
                del self.files[where]
        for known in (self.elements, self.alive):
            for other in [other for other in known if other.network == network and other[1:] not in valid]:
                del known[other]

    @rule(network=st.sampled_from(NETWORKS), how=hows)
    def status(self, network: str, how: str) -> None:
        STEPS["STATUS"] += 1
        at = Attachment(network, "", "")
        code, document = self.bed.call("STATUS", at, self.bed.request(at, 0), "", how)
        full = self.is_full(network) and not any(
            self.is_dead(self.files[where]) for where in self.held(network)
        )
        assert (code, document and document["code"]) == ((1, NOT_AVAILABLE) if full else (0, None)), document

    @rule(chosen=st.lists(attachments, min_size=2, max_size=6, unique_by=lambda at: at[1:]))
    def at_once(self, chosen: list[Attachment]) -> None:
        """ADDs and DELs of several attachments run together, executed."""
        free = {name: SIZES[name] - len(self.held(name)) for name in NETWORKS}
        running = []
        for at in chosen:
            path = str(self.bed.container(at.container).path)
            if self.is_name_taken(at) or self.reserved(at):
                alive = self.alive.get(at)
                if alive and alive.how != "go" and not alive.ports:
                    request = self.bed.request(at, 0, prevResult=alive.result)
                    running.append((at, "DEL", self.bed.started("DEL", at, request, path)))
            elif free[at.network] > 0:
                free[at.network] -= 1
                running.append((at, "ADD", self.bed.started("ADD", at, self.bed.request(at, 0), path)))
        STEPS["at once"] += len(running)
        ended = [(at, command, self.bed.ended(process)) for at, command, process in running]
        for at, command, (code, stdout) in ended:
            if command == "DEL":
                assert (code, stdout) == (0, b"")
                self.forget(at)
        for at, command, (code, stdout) in ended:
            if command == "ADD":
                self.added(at, (), "executed", (code, json.loads(stdout)))
