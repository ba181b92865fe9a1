"""`make torture-model`: a Hypothesis state machine calls plugins on a real kernel and knows what must be there after every step.

Several networks, containers and interfaces; ports that collide, ranges that fill up; DEL and GC with
whatever a runtime may have lost; containers that die, nodes that reboot, rules that are flushed or edited,
reservations that are torn; interfaces that have a name that ours would have; calls at once;
and the Go plugins on one of the networks. Links, addresses, nft elements and reservations are compared,
and each verb's answer.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.attachment import Attachment as Owner
from core.attachment import host_ifnames
from launcher import lab
from tests.torture.run import FOLDERS
from tests.torture.testbed import GO, Answer, Attachment, Testbed, Truth

NETWORKS = ("a", "b", "m")
COLLIDING = ("k607397", "k4574048")  # the host veths of their eth0 on network a would have one name
PAIRS = [(container, ifname) for container in ("c0", "c1", *COLLIDING) for ifname in ("eth0", "eth1")]
SIZES = {"a": 5, "b": 13, "m": 29}  # addresses of the first range set
PORTS = (("tcp", 8080), ("tcp", 8081), ("udp", 8080))
TAKEN, REFUSED, EXHAUSTED, UNAVAILABLE, NOT_AVAILABLE = 105, 104, 103, 102, 50
GO_IS_HERE = (GO / "bridge").exists()
STEPS: Counter[str] = Counter()
EVENTS = (
    *(
        "ports published",
        "port taken",
        "port taken over",
        "port shared",
        "range full",
        "address reclaimed",
        "own address reclaimed",
    ),
    *("name taken", "still reserved", "another host name", "every host name taken", "rules healed"),
)
INET, BRIDGE = "inet cniwire", "bridge cniwire"
# What somebody does to our shared rules; each as one transaction, so that it is done or not.
EDITS = tuple(
    (table, f"{edit} {table} {chain}{rest}")
    for table, chain in (
        *[(INET, name) for name in ("prerouting", "postrouting", "output", "hostports")],
        (BRIDGE, "prerouting"),
        (BRIDGE, "input"),
    )
    for edit, rest in (("flush chain", ""), ("insert rule", " accept"), ("insert rule", " counter return"))
)
MET: Counter[str] = Counter()  # which of them happened to ADDs
LONG = 5000  # of so many calls asked for, or more, some have to meet each of them
TABLES = {"a": {INET, BRIDGE}, "b": {INET}, "m": set[str]()}
EXECUTABLES = [FOLDERS["source"]]
Ports = tuple[tuple[str, int], ...]
Elements = frozenset[tuple[str, str, str]]

pairs = st.sampled_from(PAIRS)
attachments = st.builds(lambda network, pair: Attachment(network, *pair), st.sampled_from(NETWORKS), pairs)
some_ports = st.lists(st.sampled_from(PORTS), min_size=1, max_size=2, unique=True).map(tuple)
port_lists = some_ports | st.just(())
most_pairs = st.sets(pairs, max_size=2).map(lambda lost: {*PAIRS} - lost)
hows = st.sampled_from(("in process", "in process", "in process", "executed"))
indexes = st.integers(0, 63)


def level_of(name: str) -> int:
    """The level of a map of host ports."""
    return int(name.partition("-")[2] or 1)


class Alive(NamedTuple):
    """An attachment that was made: the result of its chain, how its first plugin was called, and whether its rules are all there."""

    result: Any
    ports: Ports
    how: str
    whole: bool = True


class Reservation(NamedTuple):
    """A file. netns: the path noted in it, "" for none; boot: in which it was made."""

    content: bytes
    netns: str = ""
    boot: int = 0


class Model(RuleBasedStateMachine):
    """alive: what has its link; elements: by attachment, also of dead ones; files: (network, address) -> reservation.

    ports: the host veth of each attachment; squatters: links that have a name of one; edited:
    tables whose rules are not as we made them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-", dir="/dev/shm"))
        self.bed = Testbed(self.folder, EXECUTABLES[0])
        self.alive: dict[Attachment, Alive] = {}
        self.elements: dict[Attachment, Elements] = {}
        self.files: dict[tuple[str, str], Reservation] = {}
        self.ports: dict[Attachment, str] = {}
        self.squatters: set[str] = set()
        self.edited: set[str] = set()

    def teardown(self) -> None:
        """In the end everybody is deleted, however little is known of them."""
        for at in {*self.alive, *self.elements, *self.owners()}:
            self.remove(at, "in process", "", False, False) if at not in self.alive or self.alive[
                at
            ].how != "go" else self.remove(at, "go")
        truth = self.bed.truth()
        self.bed.close()
        shutil.rmtree(self.folder)
        rest = truth._replace(files={where: content for where, content in truth.files.items() if content})
        same("left behind", rest, Truth(frozenset(), frozenset(), frozenset(), frozenset(), {}))

    # -- what the model knows ----------------------------------------------------------------------

    def owners(self) -> set[Attachment]:
        """The attachments that have reservations."""
        return {self.owner(network, one.content) for (network, _), one in self.files.items() if one.content}

    def owner(self, network: str, content: bytes) -> Attachment:
        container, _, ifname = content.decode().partition("\r\n")
        return Attachment(network, container, ifname)

    def ours(self) -> list[Attachment]:
        """What is alive and was not made by the Go plugins."""
        return sorted(at for at, alive in self.alive.items() if alive.how != "go")

    def reserved(self, at: Attachment) -> list[tuple[str, str]]:
        return [
            where for where, one in self.files.items() if where[0] == at.network and one.content == at.content
        ]

    def is_dead(self, one: Reservation) -> bool:
        """Whether an ADD that finds the range full may take it."""
        return not one.content or bool(one.netns and one.boot != self.bed.boots)

    def held(self, network: str) -> list[tuple[str, str]]:
        """The files of a network's first range set."""
        return [where for where in self.files if where[0] == network and ":" not in where[1]]

    def is_full(self, network: str) -> bool:
        return len(self.held(network)) >= SIZES[network]

    def holders(self, ports: Ports) -> set[Attachment]:
        """Who has one of these host ports."""
        return {at for at in self.elements if self.port_maps(at, ports)}

    def port_maps(self, at: Attachment, ports: Ports) -> list[str]:
        """The maps in which an attachment has one of these host ports."""
        wanted = {f"{protocol} {port}" for protocol, port in ports}
        return [name for name, key, _ in self.elements[at] if name.startswith("hostports") and key in wanted]

    def rules_of(self, at: Attachment, addresses: list[str], ports: Ports, level: int = 1) -> Elements:
        """The elements that ADD makes; on a *level* behind the first, if the container has the ports on another network already."""
        made, suffix = set(), f"-{level}" if level > 1 else ""
        for address in addresses:
            tag = "6" if ":" in address else "4"
            if at.network in ("a", "b"):
                made |= {
                    (f"masquerade{tag}", address, at.owner),
                    (f"inside{tag}", f"{address} {network_of(address)}", at.owner),
                }
            if ports:
                made |= {
                    (f"hairpin{tag}", address, at.owner),
                    (f"near{tag}", f"{address} {network_of(address)}", at.owner),
                }
            made |= {(f"hostports{tag}{suffix}", f"{protocol} {port}", at.owner) for protocol, port in ports}
        if at.network == "a":
            made |= {(name, self.ports[at], at.owner) for name in ("spoof", "spoof_macs")}
        return frozenset(made)

    # -- verbs -------------------------------------------------------------------------------------

    @rule(at=attachments, ports=port_lists, how=hows)
    def add(self, at: Attachment, ports: Ports, how: str) -> None:
        ports = ports if at.network != "m" else ()
        STEPS["ADD"] += 1
        self.added(
            at,
            ports,
            how,
            self.bed.call(
                "ADD", at, self.bed.request(at, 0), str(self.bed.container(at.container).path), how
            ),
        )

    @rule(chosen=st.lists(pairs, min_size=3, max_size=8, unique=True), ports=port_lists, how=hows)
    def crowd(self, chosen: list[tuple[str, str]], ports: Ports, how: str) -> None:
        """ADDs on the network with the fewest addresses, all with the same ports: the range fills up, the ports collide."""
        for pair in chosen:
            self.add(Attachment("a", *pair), ports, how)

    @rule(at=attachments.map(lambda at: at._replace(network="m")))
    def add_with_go(self, at: Attachment) -> None:
        if (
            not GO_IS_HERE
            or any(other[1:] == at[1:] for other in self.alive)
            or self.reserved(at)
            or self.is_full("m")
        ):
            return  # its own weaknesses are not our subject
        STEPS["ADD by Go"] += 1
        self.added(
            at,
            (),
            "go",
            self.bed.call(
                "ADD", at, self.bed.request(at, 0), str(self.bed.container(at.container).path), "go"
            ),
        )

    def added(self, at: Attachment, ports: Ports, how: str, answer: Answer) -> None:
        """Hold the first plugin's answer to the model, then go on with the chain."""
        code, document = answer
        name_taken = any(other[1:] == at[1:] for other in self.alive)
        free = self.free_names(at)
        if how != "go" and not name_taken and not free:
            assert code == 1, (code, document)
            assert document["code"] == UNAVAILABLE, document
            MET["every host name taken"] += 1
            return
        left = [self.files[where] for where in self.reserved(at)]
        if not name_taken and left and all(self.is_dead(one) or (one.netns and how != "go") for one in left):
            MET["own address reclaimed"] += 1
            self.elements.pop(at, None)
            for where in self.reserved(at):
                del self.files[where]
        if name_taken or self.reserved(at):
            assert code == 1, (code, document)
            assert document["code"] in ((UNAVAILABLE,) if name_taken else (REFUSED,)), document
            MET["name taken" if name_taken else "still reserved"] += 1
            return
        dead = [where for where in self.held(at.network) if self.is_dead(self.files[where])]
        if self.is_full(at.network):
            if not dead:
                assert code == 1, (code, document)
                assert document["code"] == EXHAUSTED, document
                MET["range full"] += 1
                return
            for where in dead:
                del self.files[where]
            MET["address reclaimed"] += 1
        assert code == 0, (code, document)
        addresses = [ip["address"].partition("/")[0] for ip in document["ips"]]
        netns = str(self.bed.container(at.container).path)
        for address in addresses:
            assert (at.network, address) not in self.files, f"{address} was taken"
            self.files[at.network, address] = Reservation(
                at.content, netns if how != "go" else "", self.bed.boots
            )
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

    def free_names(self, at: Attachment) -> list[str]:
        """The names that the host veth of an attachment may get."""
        taken = self.squatters | {self.ports[other] for other in self.alive}
        return [name for name in host_ifnames(at.owner) if name not in taken]

    def healed(self, network: str) -> None:
        """An ADD succeeded that needs the tables of its network."""
        MET["rules healed"] += bool(self.edited & TABLES[network])
        self.edited -= TABLES[network]

    def publish(self, at: Attachment, addresses: list[str], ports: Ports, how: str) -> None:
        """portmap's part of ADD: a port of somebody alive is refused, one of the dead is taken over."""
        alive = self.alive[at]
        config = self.bed.request(at, 1, ports, prevResult=alive.result)
        code, document = self.bed.call("ADD", at, config, str(self.bed.container(at.container).path), how)
        holders = self.holders(ports)
        if any(other in self.alive and other.container != at.container for other in holders):
            assert code == 1, (code, document)
            assert document["code"] == TAKEN, document
            MET["port taken"] += 1
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
        # The Go suite takes an interface of that name, whosever it is; ours does so with the Go suite's
        if there and netns == "its own":
            for other in [
                other for other, one in self.alive.items() if other[1:] == at[1:] and "go" in (how, one.how)
            ]:
                self.drop_link(other)

    def drop_link(self, at: Attachment) -> None:
        del self.alive[at]

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
        self.collected(
            network,
            valid,
            [{"containerID": container, "ifname": ifname} for container, ifname in sorted(valid)],
            how,
        )

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
        self.files = {
            where: one for where, one in self.files.items() if where[0] != network or one.content in contents
        }
        self.elements = {
            at: held for at, held in self.elements.items() if at.network != network or at[1:] in valid
        }
        self.alive = {
            at: alive for at, alive in self.alive.items() if at.network != network or at[1:] in valid
        }

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
            if any(other[1:] == at[1:] for other in self.alive) or self.reserved(at):
                alive = self.alive.get(at)
                if alive and alive.how != "go" and not alive.ports:
                    running.append(
                        (
                            at,
                            "DEL",
                            self.bed.started(
                                "DEL", at, self.bed.request(at, 0, prevResult=alive.result), path
                            ),
                        )
                    )
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

    def forget(self, at: Attachment) -> None:
        for where in self.reserved(at):
            del self.files[where]
        self.elements.pop(at, None)
        del self.alive[at]

    # -- what happens to nodes ---------------------------------------------------------------------

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
        """Fresh namespaces and rules, the same disk; then containers come, maybe more than there is room for beside the dead."""
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
        self.alive = {
            at: alive._replace(whole=alive.whole and not self.elements.get(at))
            for at, alive in self.alive.items()
        }
        self.elements = {}

    @rule(edit=st.sampled_from(EDITS))
    def the_rules_are_edited(self, edit: tuple[str, str]) -> None:
        """By somebody who does not know us: nothing of ours is deleted that has a name, but what it does is another thing."""
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

    # -- the comparison ----------------------------------------------------------------------------

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        truth = self.bed.truth()
        elements = {element for held in self.elements.values() for element in held}
        same("links", truth.links, {at.owner for at, alive in self.alive.items() if alive.how != "go"})
        same(
            "links of others",
            {name for name in self.bed.host.links() if name in self.squatters},
            self.squatters,
        )
        same(
            "links of the Go plugins",
            len(truth.others),
            sum(alive.how == "go" for alive in self.alive.values()),
        )
        same("elements", truth.elements, elements)
        same("chains that nobody needs", truth.chains, frozenset())
        same("files", truth.files, {where: one.content for where, one in self.files.items()})
        for name, namespace in self.bed.containers.items():
            same(
                f"links of {name}",
                namespace.links(),
                sorted(at.ifname for at in self.alive if at.container == name),
            )

    @rule(which=indexes)
    def addresses_are_as_the_result_says(self, which: int) -> None:
        for at in one_of(which, self.alive):
            found = self.bed.container(at.container).addresses(at.ifname)
            same("addresses", found, sorted(ip["address"] for ip in self.alive[at].result["ips"]))


def network_of(address: str) -> str:
    """The network that an address of the testbed's is in."""
    return address.rpartition(":")[0] + ":" if ":" in address else f"{address.rpartition('.')[0]}.0"


def one_of(which: int, of: Iterable[Any]) -> list[Any]:
    """One of these, or none if there is none.

    What Hypothesis draws must not depend on what is there: calls at once get addresses in an order of their
    own, so what is there differs from one run of the same draws to the next. For the same reason no rule
    here has a precondition.
    """
    there = sorted(of)
    return there and [there[which % len(there)]]


def same(what: str, found: Any, wanted: Any) -> None:
    """Raise AssertionError with the difference of two values."""
    if isinstance(wanted, set) and found != wanted:
        raise AssertionError(f"{what}: leaked {sorted(found - wanted)}, lost {sorted(wanted - found)}")
    assert found == wanted, f"{what}: want {wanted}, found {found}"


def tortured(examples: int, steps: int, seed: int | None = None) -> None:
    """Run the machine. Raises what it finds, shrunk."""
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=DirectoryBasedExampleDatabase("/dev/shm/hypothesis"),
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # shrinking takes hours on a real kernel; a seed brings the same run again
        verbosity=Verbosity.normal,
    )
    machine: type[Model] = Model
    if seed is not None:
        from hypothesis import seed as seeded

        machine = seeded(seed)(Model)
    run_state_machine_as_test(machine, settings=wanted)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=120, help="nodes to begin with (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=60, help="calls on each of them (default: %(default)s)")
    parser.add_argument("--short", action="store_true", help="10 nodes, 40 calls each")
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--plugins", default="source", help="source, bundle or a folder: whose executables are executed"
    )
    wanted = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    EXECUTABLES[0] = FOLDERS.get(wanted.plugins, Path(wanted.plugins)).resolve()
    began = time.monotonic()
    examples, steps = (10, 40) if wanted.short else (wanted.examples, wanted.steps)
    tortured(examples, steps, wanted.seed)
    told = ", ".join(f"{count} {name}" for name, count in STEPS.most_common())
    print("what ADD met:", ", ".join(f"{MET[name]} {name}" for name in EVENTS))
    print(f"model: {STEPS.total()} steps in {time.monotonic() - began:.0f} s, 0 differences ({told})")
    missing = [name for name in EVENTS if not MET[name]] if examples * steps >= LONG else []
    print(*(f"never happened: {name}" for name in missing), sep="\n", end="\n" if missing else "")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
