"""Containers in zones of firewalld, by their records alone."""

import pytest

from core.address import parse_cidr
from core.errors import CNIError
from core.kernel.kernel import Kernel
from core.plan import apply, zones
from core.plan.records import Plan
from tests.harness.host import Host

OWNER, OTHER = "net/c1/eth0", "net/c2/eth0"
IP4, IP6 = parse_cidr("10.1.0.2/24"), parse_cidr("fd01::2/64")
TEXT4, TEXT6 = "10.1.0.2/32", "fd01::2/128"
WITNESSED = f"{OWNER} -"  # nothing tells that it is gone


def admitted(zone: str = "trusted", owner: str = WITNESSED) -> Plan:
    return zones.admit([IP4.address, IP6.address], zone, owner)


def add(kernel: Kernel, plan: Plan) -> None:
    apply.add(kernel, plan, lambda: None)


def refused(kernel: Kernel, plan: Plan) -> CNIError:
    with pytest.raises(CNIError) as told:
        add(kernel, plan)
    return told.value


def delete(kernel: Kernel, owner: str = OWNER) -> list[str]:
    """DEL, with nothing known but the owner; what failed."""
    return [str(each) for each in apply.delete(kernel, zones.footprint(owner))]


def left(host: Host) -> str:
    """What is left in our table but what is always there."""
    listed = host.run("nft list ruleset")
    return " ".join(word for word in listed.split() if word.startswith(("zone", "@zone", '"net/')))
