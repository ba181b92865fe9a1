"""What the model of `make torture-model` knows of a node, and what its rules draw from."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from core.attachment import host_ifnames
from tests.torture.run import FOLDERS
from tests.torture.testbed import GO, Answer, Attachment, Testbed

NETWORKS = ("a", "b", "m")
COLLIDING = ("k607397", "k4574048")  # the host veths of their eth0 on network a would have one name
PAIRS = [(container, ifname) for container in ("c0", "c1", *COLLIDING) for ifname in ("eth0", "eth1")]
SIZES = {"a": 5, "b": 13, "m": 29}  # addresses of the first range set
PORTS = (("tcp", 8080), ("tcp", 8081), ("udp", 8080))
GO_IS_HERE = (GO / "bridge").exists()
STEPS: Counter[str] = Counter()
MET: Counter[str] = Counter()  # which events happened to ADDs
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


class Alive(NamedTuple):
    """An attachment that was made.

    result: of its chain; how: its first plugin was called; whole: all its rules are there.
    """

    result: Any
    ports: Ports
    how: str
    whole: bool = True


class Reservation(NamedTuple):
    """A file. netns: the path noted in it, "" for none; boot: in which it was made."""

    content: bytes
    netns: str = ""
    boot: int = 0


class Knowledge(RuleBasedStateMachine):
    """A node, and what must be there.

    alive: what has its link; elements: by attachment, also of dead ones.
    files: (network, address) -> reservation.
    ports: the host veth of each attachment; squatters: links of others that have such a name.
    edited: tables whose rules are not as we made them.
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

    def is_name_taken(self, at: Attachment) -> bool:
        """Whether the container has an interface of this name already."""
        return any(other[1:] == at[1:] for other in self.alive)

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
        """The elements that ADD makes.

        They are on a *level* behind the first, if the container has the ports on another network already.
        """
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

    def free_names(self, at: Attachment) -> list[str]:
        """The names that the host veth of an attachment may get."""
        taken = self.squatters | {self.ports[other] for other in self.alive}
        return [name for name in host_ifnames(at.owner) if name not in taken]

    def healed(self, network: str) -> None:
        """An ADD succeeded that needs the tables of its network."""
        MET["rules healed"] += bool(self.edited & TABLES[network])
        self.edited -= TABLES[network]

    def call_add(self, at: Attachment, how: str) -> Answer:
        """What the first plugin of the chain answers to ADD."""
        path = str(self.bed.container(at.container).path)
        return self.bed.call("ADD", at, self.bed.request(at, 0), path, how)

    def drop_link(self, at: Attachment) -> None:
        del self.alive[at]

    def forget(self, at: Attachment) -> None:
        for where in self.reserved(at):
            del self.files[where]
        self.elements.pop(at, None)
        del self.alive[at]


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
