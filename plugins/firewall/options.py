"""What a firewall configuration asks for: every key read and checked. Pure."""

from __future__ import annotations

from core.cni.config import Section
from core.intent import ISOLATED, OPEN, SAME_BRIDGE
from core.plan import filter as intents
from core.plan import zones
from core.plan.opening import CNI_ADMIN
from core.record import Record

FIREWALLD = "firewalld"
POLICIES = OPEN, SAME_BRIDGE, ISOLATED
LONGEST_CHAIN = 28  # bytes in the name of a chain of iptables


class Options(Record):
    """The keys of the configuration, checked.

    iptables: the rules of the reference are wanted besides ours.
    policy: who does not reach the containers: OPEN, SAME_BRIDGE or ISOLATED.
    admin: the chain of iptables for administrators, where one is needed.
    note: what to tell, "" for nothing.
    zone: of firewalld, where each address is to be a source of; "" for none.
    undecided: whether that is meant only where firewalld runs.
    """

    iptables: bool = False
    policy: str = OPEN
    admin: str = CNI_ADMIN
    note: str = ""
    zone: str = ""
    undecided: bool = False


def options(config: Section, _args: str = "") -> Options:
    """Read and check every key. Raises CNIError."""
    named, note = _backend(config)
    policy = config.text("ingressPolicy") or OPEN
    if policy not in POLICIES:
        raise config.wrong("ingressPolicy", " or ".join([f'"{each}"' for each in POLICIES]))
    zone = zones.chosen(config)
    return Options(
        named == intents.IPTABLES,
        policy,
        _admin(config),
        note,
        zone if named in ("", FIREWALLD) else "",
        undecided=not named,
    )


def _backend(config: Section) -> tuple[str, str]:
    """The name of the backend, "" for none, and a note where the key names one that there is not.

    As with the reference, an unknown name is as good as none. Raises CNIError.
    """
    name = config.text("backend")
    if name in ("", intents.NFTABLES, intents.IPTABLES, FIREWALLD):
        return name, ""
    known = f'"{intents.NFTABLES}", "{intents.IPTABLES}" or "{FIREWALLD}"'
    return "", f'backend: want {known}, found "{name}"; it is taken as left out'


def _admin(config: Section) -> str:
    """The name of the administrators' chain. Raises CNIError for one that iptables would not take."""
    name = config.text("iptablesAdminChainName") or CNI_ADMIN
    if len(name.encode()) > LONGEST_CHAIN or name[0] in "-!" or not name.isprintable() or " " in name:
        raise config.wrong("iptablesAdminChainName", f"a chain's name of at most {LONGEST_CHAIN} bytes")
    return name
