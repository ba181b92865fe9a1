"""Chains and rules of iptables as records of a plan: those of one attachment, and those that all share.

One iptables-restore a family carries all of a plan's neighbours; each is one record all the same. What is
shared travels with what stands on it (core.kernel.xtables). Law and lifecycle: core.record.KernelRecord.

family: "ip" for iptables, "ip6" for ip6tables. table: nat, filter or another one of the tool's. rule: the
text behind `-A CHAIN`, as core.iptables.text has it. Pure.
"""

from __future__ import annotations

from core.record import OWNED, SHARED, KernelRecord

HOME = "core.kernel.xtables"


class Chain(KernelRecord):
    """A chain of one attachment with its rules, in order. One that is there already is written anew.

    Its deletion takes along whatever rules of the table jump to it.
    """

    home, lifecycle, batch, identity = HOME, OWNED, "iptables", ("family", "table", "name")
    absent = "iptables chain {name} is gone"
    altered = "iptables chain {name} has other rules"
    bears, rank = ("name",), 0
    family: str
    table: str
    name: str
    rules: tuple[str, ...] = ()


class ChainRule(KernelRecord):
    """A rule of one attachment in a chain of others, where it is appended unless it is there.

    first: it is put in front of the others.
    """

    home, lifecycle, batch = HOME, OWNED, "iptables"
    identity = ("family", "table", "chain", "rule")
    absent, rank = "iptables chain {chain} has lost {rule}", 1
    family: str
    table: str
    chain: str
    rule: str
    first: bool = False


class SharedChain(Chain):
    """A chain that attachments share. Its rules are records of their own, and not looked at with it."""

    lifecycle = SHARED


class SharedRule(ChainRule):
    """A rule that attachments share."""

    lifecycle = SHARED
