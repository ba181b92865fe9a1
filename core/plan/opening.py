"""Where somebody else drops what is forwarded, and the rule that lets through what we admit.

Law: only what nobody has decided is decided here. A base chain that drops says so at its end, by its policy
or its last rule, and our rule stands right before that, so whatever its administrator wrote comes first. In
iptables' own filter table there are places that others foresee: DOCKER-USER, and CNI-FORWARD, which is made
as the reference makes it, with the chain for administrators in front.

Whoever manages a table as a whole, and says so, is not interfered with: then there is a note instead. Pure.
"""

from __future__ import annotations

from core.intent import ADMIT
from core.nft.names import Elements
from core.record import OWNED, SHARED, KernelRecord, Record

FORWARD, FILTER = "FORWARD", "filter"  # the base chain and table of iptables
DOCKER_USER, CNI_FORWARD, CNI_ADMIN = "DOCKER-USER", "CNI-FORWARD", "CNI-ADMIN"
IPTABLES = {"ip": "iptables", "ip6": "ip6tables"}
# Tables that their owners write anew as a whole, and what to do instead.
MANAGED = {"firewalld": 'set "backend": "firewalld", or add the network to a zone that accepts'}


class Barrier(Record):
    """A base chain on the forward hook that drops what none of its rules has accepted.

    family: nft's word for that of its table.
    rule: the handle of the last rule, which drops; 0 where it is the chain's policy.
    owned: the table belongs to a process, which alone may write to it.
    docker: the chain leads to DOCKER-USER.
    """

    family: str
    table: str
    chain: str
    rule: int = 0
    owned: bool = False
    docker: bool = False

    def __str__(self) -> str:
        by = f"rule with handle {self.rule}" if self.rule else "policy"
        return f"table {self.family} {self.table}, chain {self.chain} drops what is forwarded (by its {by})"

    @property
    def is_iptables(self) -> bool:
        return self.family in IPTABLES and (self.table, self.chain) == (FILTER, FORWARD)


class Opening(KernelRecord):
    """What we admit is accepted in a base chain of somebody else, before it drops the rest.

    via: the chain in which the rule stands, "" for the base chain itself.
    admin: the chain that CNI_FORWARD leads to first.
    """

    home, lifecycle, identity = "core.kernel.openings", SHARED, ("family", "table", "chain")
    absent = "chain {chain} of table {family} {table} drops what is admitted"
    family: str
    table: str
    chain: str
    via: str = ""
    admin: str = ""


class Admissions(KernelRecord):
    """All that *owner* has admitted, with the rules of CNI_FORWARD for these addresses; "" for any owner.

    Such rules are those of the reference's plugin, and tell nobody's name. It is what DEL knows.
    """

    home, lifecycle, identity = "core.kernel.go_admission", OWNED, ("owner",)
    absent = "nothing of {owner} is admitted"
    owner: str = ""

    @property
    def claims(self) -> Elements:
        return Elements(ADMIT, self.owner)


def opening(barrier: Barrier, admin: str) -> Opening | None:
    """The rule for a barrier, None where its table is not to be written."""
    if barrier.owned or barrier.table in MANAGED:
        return None
    where = barrier.family, barrier.table, barrier.chain
    if not barrier.is_iptables:
        return Opening(*where)
    return Opening(*where, DOCKER_USER) if barrier.docker else Opening(*where, CNI_FORWARD, admin)


def note(barrier: Barrier) -> str:
    """What to tell of a barrier that stays as it is, and what its owner can do."""
    from core.nft.admission import marked  # late: nearly always there is nothing to tell

    remedy = MANAGED.get(barrier.table, f"let it accept {marked().text}")
    return f"{barrier}, and is written by its owner alone; {remedy}"
