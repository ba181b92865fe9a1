"""What a person wishes for an attachment, and which network and plugin it is passed to."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher import answers
from launcher.cache import Request
from launcher.conflist import Network
from launcher.failures import ConfigFailure, Failure, UsageFailure
from launcher.target import Target

IGNORE_UNKNOWN = ("IgnoreUnknown", "1")  # in CNI_ARGS: plugins pass over keys that are meant for others


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for beyond networks and target. addresses: with or without a prefix length."""

    ifname: str = ""  # "": eth0 and so on
    mappings: tuple[Mapping[str, Any], ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] | None = None
    addresses: tuple[str, ...] = ()
    mac: str = ""


def requests(
    chosen: Sequence[Network], target: Target, wishes: Wishes, taken: Iterable[str] = ()
) -> list[tuple[Network, Request]]:
    """One request per network: interface names eth0, eth1... that are not *taken*; ports go to the first network that can.

    Raises Failure when a wish cannot be passed to any plugin.
    """
    single = {"--ifname": wishes.ifname, "--ip": wishes.addresses, "--mac": wishes.mac}
    for option in [option for option, value in single.items() if value and len(chosen) > 1]:
        raise UsageFailure(
            f"{option} goes with a single network", hint="attach the networks one after the other"
        )
    free = (
        name
        for number in range(len(chosen) + len(list(taken)) + 1)
        if (name := f"eth{number}") not in set(taken)
    )
    wanted, args = identity(chosen[0], wishes)
    if wishes.mappings:
        wanted["portMappings"] = [dict(mapping) for mapping in wishes.mappings]
    pairs = []
    for network in chosen:
        passed = {key: wanted.pop(key) for key in sorted(network.capabilities & set(wanted))}
        pairs.append(
            (network, Request(target.container_id, wishes.ifname or next(free), target.netns, args, passed))
        )
    if wanted:
        keys, names = ", ".join(sorted(wanted)), ", ".join(network.name for network in chosen)
        hint = 'give the plugin that should get it "capabilities": {"' + min(wanted) + '": true}'
        raise ConfigFailure(
            f"network {names}: no plugin declares the capability {keys}, so nobody would get its value",
            hint=hint,
        )
    return pairs


def identity(network: Network, wishes: Wishes) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Values by capability and pairs for CNI_ARGS: address and MAC by the capability where a plugin declares it, else by CNI_ARGS.

    Raises UsageFailure when something is said twice, or several addresses would have to go where one can.
    """
    wanted, args = dict(wishes.capability_args or {}), dict(wishes.args)
    for option, capability, key, values in (
        ("--ip", "ips", "IP", wishes.addresses),
        ("--mac", "mac", "MAC", (wishes.mac,) if wishes.mac else ()),
    ):
        if not values:
            continue
        if capability in wanted or key in args:
            raise UsageFailure(f"{option} is given by --capability or --arg as well", hint="say it once")
        if capability in network.capabilities:
            wanted[capability] = list(values) if capability == "ips" else values[0]
        elif len(values) == 1:
            args[key] = values[0]
        else:
            hint = 'give the plugin whose addresses these are "capabilities": {"ips": true}'
            raise UsageFailure(
                f"network {network.name} takes a single --ip: no plugin declares the capability ips",
                hint=hint,
            )
    if args:
        args = dict([IGNORE_UNKNOWN]) | args
    return wanted, tuple(args.items())


def verify(wishes: Wishes, request: Request, outcome: Mapping[str, Any]) -> None:
    """Raise Failure where the result has not the address or MAC that was asked for: a plugin may pass over what it does not know."""
    got = [text.partition("/")[0] for text in answers.addresses(outcome)]
    for wish in wishes.addresses:
        if wish.partition("/")[0] not in got:
            raise Failure(
                f"--ip {wish}: no plugin gave it; {request.ifname} got {', '.join(got) or 'no address'}",
                hint=UNHEARD,
            )
    macs = [
        item["mac"].lower()
        for item in answers.interfaces(outcome)
        if item["name"] == request.ifname and item["sandbox"]
    ]
    if wishes.mac and wishes.mac not in macs:
        raise Failure(
            f"--mac {wishes.mac}: no plugin gave it; {request.ifname} got {', '.join(macs) or 'none'}",
            hint=UNHEARD,
        )


UNHEARD = "the network's plugins do not take it from CNI_ARGS; their capabilities may"


def address(text: str) -> str:
    """An address for a container as results write it, with its prefix length if it has one. Raises ValueError."""
    found = ipaddress.ip_interface(text)
    if found.ip.is_unspecified or found.ip.is_multicast or getattr(found.ip, "scope_id", None):
        raise ValueError(f"{text!r} is no address for a container")
    return str(found) if "/" in text else str(found.ip)
