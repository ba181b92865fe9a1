"""ADDs of the model, ours and the Go plugins', and what they have to answer."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from core.attachment import Attachment as Owner
from tests.torture.model.knowledge import (
    GO_IS_HERE,
    INET,
    MET,
    STEPS,
    Alive,
    Knowledge,
    Ports,
    Reservation,
    attachments,
    hows,
    pairs,
    port_lists,
)
from tests.torture.testbed import Answer, Attachment

# What ADDs meet. In a long run each of them has to happen.
EVENTS = (
    *("ports published", "port taken", "port taken over", "port shared"),
    *("range full", "address reclaimed", "own address reclaimed", "still reserved"),
    *("name taken", "another host name", "every host name taken", "rules healed"),
)
TAKEN, REFUSED, EXHAUSTED, UNAVAILABLE = 105, 104, 103, 102


class Additions(Knowledge):
    @rule(at=attachments, ports=port_lists, how=hows)
    def add(self, at: Attachment, ports: Ports, how: str) -> None:
        ports = ports if at.network != "m" else ()
        STEPS["ADD"] += 1
        self.added(at, ports, how, self.call_add(at, how))

    @rule(chosen=st.lists(pairs, min_size=3, max_size=8, unique=True), ports=port_lists, how=hows)
    def crowd(self, chosen: list[tuple[str, str]], ports: Ports, how: str) -> None:
        """ADDs on the network with the fewest addresses, all with the same ports.

        The range fills up, the ports collide.
        """
        for pair in chosen:
            self.add(Attachment("a", *pair), ports, how)

    @rule(at=attachments.map(lambda at: at._replace(network="m")))
    def add_with_go(self, at: Attachment) -> None:
        if not GO_IS_HERE or self.is_name_taken(at) or self.reserved(at) or self.is_full("m"):
            return  # its own weaknesses are not our subject
        STEPS["ADD by Go"] += 1
        self.added(at, (), "go", self.call_add(at, "go"))

    def added(self, at: Attachment, ports: Ports, how: str, answer: Answer) -> None:
        """Hold the first plugin's answer to the model, then go on with the chain."""
        free = self.free_names(at)
        if self.is_refused(at, how, free, answer):
            return
        code, document = answer
        assert code == 0, (code, document)
        addresses = [ip["address"].partition("/")[0] for ip in document["ips"]]
        netns = str(self.bed.container(at.container).path) if how != "go" else ""
        for address in addresses:
            assert (at.network, address) not in self.files, f"{address} was taken"
            self.files[at.network, address] = Reservation(at.content, netns, self.bed.boots)
        self.alive[at] = Alive(document, (), how)
        self.ports[at] = document["interfaces"][1]["name"]
        if how != "go":
            assert self.ports[at] in free, (self.ports[at], free)
            MET["another host name"] += self.ports[at] != Owner(*at).host_ifname
            self.healed(at.network)
        for other in self.elements.keys() - self.alive.keys():  # whoever was behind a link of this name
            self.elements[other] = frozenset(
                each for each in self.elements[other] if at.network != "a" or each[1] != self.ports[at]
            )
        self.elements[at] = self.rules_of(at, addresses, ())
        if ports:
            self.publish(at, addresses, ports, how)

    def is_refused(self, at: Attachment, how: str, free: list[str], answer: Answer) -> bool:
        """Whether this ADD has to be refused, and then was; otherwise what it reclaims is forgotten."""
        name_taken = self.is_name_taken(at)
        if how != "go" and not name_taken and not free:
            return refused(answer, UNAVAILABLE, "every host name taken")
        left = [self.files[where] for where in self.reserved(at)]
        if not name_taken and left and all(self.is_dead(one) or (one.netns and how != "go") for one in left):
            MET["own address reclaimed"] += 1
            self.elements.pop(at, None)
            for where in self.reserved(at):
                del self.files[where]
        if name_taken:
            return refused(answer, UNAVAILABLE, "name taken")
        if self.reserved(at):
            return refused(answer, REFUSED, "still reserved")
        dead = [where for where in self.held(at.network) if self.is_dead(self.files[where])]
        if self.is_full(at.network):
            if not dead:
                return refused(answer, EXHAUSTED, "range full")
            for where in dead:
                del self.files[where]
            MET["address reclaimed"] += 1
        return False

    def publish(self, at: Attachment, addresses: list[str], ports: Ports, how: str) -> None:
        """portmap's part of ADD: a port of somebody alive is refused, one of the dead is taken over."""
        alive = self.alive[at]
        config = self.bed.request(at, 1, ports, prevResult=alive.result)
        code, document = self.bed.call("ADD", at, config, str(self.bed.container(at.container).path), how)
        holders = self.holders(ports)
        if any(other in self.alive and other.container != at.container for other in holders):
            refused((code, document), TAKEN, "port taken")
            self.forget_remains(ports)
            return  # the container stays without ports, until somebody deletes it
        assert code == 0, (code, document)
        assert document == alive.result
        self.edited -= {INET}
        shared = [
            level_of(name) for other in holders & self.alive.keys() for name in self.port_maps(other, ports)
        ]
        MET["port shared" if shared else "port taken over" if holders else "ports published"] += 1
        made = self.rules_of(at, addresses, ports, 1 + max(shared, default=0))
        taken = {(name.partition("-")[0], key) for name, key, _ in made}
        for other in self.elements.keys() - self.alive.keys():
            self.elements[other] = frozenset(
                each for each in self.elements[other] if (each[0].partition("-")[0], each[1]) not in taken
            )
        self.elements[at] = made
        self.alive[at] = alive._replace(ports=ports)

    def forget_remains(self, ports: Ports) -> None:
        """A refused ADD may have deleted what gone attachments had of these ports behind the first level."""
        there = self.bed.truth().elements
        wanted = {f"{protocol} {port}" for protocol, port in ports}
        for other in self.elements.keys() - self.alive.keys():
            own = self.elements[other]
            remains = {each for each in own if each[1] in wanted and "-" in each[0] and each not in there}
            self.elements[other] = own - remains


def level_of(name: str) -> int:
    """The level of a map of host ports."""
    return int(name.partition("-")[2] or 1)


def refused(answer: Answer, code: int, event: str) -> bool:
    """Count that an ADD was refused with this *code*. Raises AssertionError when it was not."""
    assert answer[0] == 1, answer
    assert answer[1]["code"] == code, answer[1]
    MET[event] += 1
    return True
