"""What a person wishes for an attachment, and which network and plugin it is passed to."""

import ipaddress
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher import answers
from launcher.conflist import Network
from launcher.failures import ConfigFailure, Failure, UsageFailure
from launcher.request import Request
from launcher.target import Target

IGNORE_UNKNOWN = ("IgnoreUnknown", "1")  # in CNI_ARGS: a plugin ignores keys that it does not know
UNHEARD = "the network's plugins do not take it from CNI_ARGS; their capabilities may"


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for, besides networks and target.

    addresses: with or without a prefix length.
    """

    ifname: str = ""  # "": eth0 and so on
    mappings: tuple[Mapping[str, Any], ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] | None = None
    addresses: tuple[str, ...] = ()
    mac: str = ""


def requests(
    chosen: Sequence[Network], target: Target, wishes: Wishes, taken: Iterable[str] = ()
) -> list[tuple[Network, Request]]:
    """One request per network.

    Interfaces are named eth0, eth1 and so on, without those that are *taken*. A wish that needs a capability
    goes to the first network with a plugin that declares it.
    Raises Failure when a wish cannot be passed to any plugin.
    """
    single = {"--ifname": wishes.ifname, "--ip": wishes.addresses, "--mac": wishes.mac}
    for option in [option for option, value in single.items() if value and len(chosen) > 1]:
        hint = "attach the networks one after the other"
        raise UsageFailure(f"{option} goes with a single network", hint=hint)
    taken = set(taken)
    free = (name for number in itertools.count() if (name := f"eth{number}") not in taken)
    wanted, args = identity(chosen[0], wishes)
    if wishes.mappings:
        wanted["portMappings"] = [dict(mapping) for mapping in wishes.mappings]
    pairs = []
    for network in chosen:
        passed = {key: wanted.pop(key) for key in sorted(network.capabilities & set(wanted))}
        ifname = wishes.ifname or next(free)
        pairs.append((network, Request(target.container_id, ifname, target.netns, args, passed)))
    if wanted:
        keys, names = ", ".join(sorted(wanted)), ", ".join(network.name for network in chosen)
        hint = 'give the plugin that should get it "capabilities": {"' + min(wanted) + '": true}'
        text = f"no plugin declares the capability {keys}, so nobody would get its value"
        raise ConfigFailure(f"network {names}: {text}", hint=hint)
    return pairs


def identity(network: Network, wishes: Wishes) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Values by capability, and pairs for CNI_ARGS.

    Address and MAC are passed by the capability where a plugin declares it, else in CNI_ARGS.
    Raises UsageFailure when one is given in two ways, or where CNI_ARGS would have to hold several addresses.
    """
    wanted, args = dict(wishes.capability_args or {}), dict(wishes.args)
    macs = (wishes.mac,) if wishes.mac else ()
    for option, capability, key, values in (
        ("--ip", "ips", "IP", wishes.addresses),
        ("--mac", "mac", "MAC", macs),
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
            text = f"network {network.name} takes a single --ip: no plugin declares the capability ips"
            hint = 'give the plugin whose addresses these are "capabilities": {"ips": true}'
            raise UsageFailure(text, hint=hint)
    if args:
        args = dict([IGNORE_UNKNOWN]) | args
    return wanted, tuple(args.items())


def verify(wishes: Wishes, request: Request, outcome: Mapping[str, Any]) -> None:
    """Raise Failure where the result lacks the wanted address or MAC: a plugin may have ignored the wish."""
    got = [text.partition("/")[0] for text in answers.addresses(outcome)]
    for wish in wishes.addresses:
        if wish.partition("/")[0] not in got:
            instead = f"{request.ifname} got {', '.join(got) or 'no address'}"
            raise Failure(f"--ip {wish}: no plugin gave it; {instead}", hint=UNHEARD)
    inside = [each for each in answers.interfaces(outcome) if each["sandbox"]]
    macs = [each["mac"].lower() for each in inside if each["name"] == request.ifname]
    if wishes.mac and wishes.mac not in macs:
        instead = f"{request.ifname} got {', '.join(macs) or 'none'}"
        raise Failure(f"--mac {wishes.mac}: no plugin gave it; {instead}", hint=UNHEARD)


def address(text: str) -> str:
    """An address for a container as results write it, with its prefix length if it has one.

    Raises ValueError.
    """
    found = ipaddress.ip_interface(text)
    if found.ip.is_unspecified or found.ip.is_multicast or getattr(found.ip, "scope_id", None):
        raise ValueError(f"{text!r} is no address for a container")
    return str(found) if "/" in text else str(found.ip)
