"""Warnings before anything is wired: unknown keys, files with one name, unreadable files, ports in use."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launcher import answers, conflist, host_ports, ports
from launcher.conflist import Network
from launcher.failures import ConfigFailure
from launcher.request import Request
from launcher.usage import closest

# Keys by the type of plugin, as docs/keys.md lists them, in any case. Plugins of other suites
# are not checked.
ALL = "cniVersion cniVersions name type args ipam dns capabilities runtimeConfig prevResult timeoutSeconds"
KEYS = {
    "bridge": "bridge isGateway isDefaultGateway forceAddress ipMasq ipMasqBackend ipMasqOutside mtu "
    "hairpinMode promiscMode vlan vlanTrunk preserveDefaultVlan macspoofchk enabledad "
    "disableContainerInterface portIsolation",
    "host-local": "ranges subnet rangeStart rangeEnd gateway routes dataDir resolvConf",
    "static": "addresses routes dns",
    "firewall": "backend iptablesAdminChainName firewalldZone ingressPolicy",
    "portmap": "backend snat masqAll conditionsV4 conditionsV6 markMasqBit externalSetMarkChain",
    "tuning": "sysctl mac promisc mtu txQLen allmulti dataDir",
    "bandwidth": "ingressRate ingressBurst egressRate egressBurst",
}
ALIKE = 0.8  # difflib's ratio: a key of five letters or more reaches it if one of them is wrong
PORTS_ASKED = 256  # at most, of a range


def of_networks(chosen: Sequence[Network], conf_dir: str, unreadable: bool = True) -> list[str]:
    """What to warn of before *chosen* are used. unreadable: whether to warn of files that cannot be read."""
    return [text for network in chosen for text in misspelt(network)] + of_files(chosen, conf_dir, unreadable)


def misspelt(network: Network) -> list[str]:
    """Warnings of unknown keys that resemble a known one: plugins ignore unknown keys silently."""
    found = []
    for plugin in network.plugins:
        sections: list[tuple[str, Mapping[str, Any]]] = [(plugin["type"], plugin)]
        ipam = plugin.get("ipam")
        if isinstance(ipam, dict):
            sections.append((answers.text(ipam.get("type")), ipam))
        for kind, keys in sections:
            for key, near in unknown(kind, keys):
                why = f"nobody knows the key {key}, so it does nothing; did you mean {near}?"
                found.append(f"network {network.name}, plugin {kind}: {why}")
    return found


def unknown(kind: str, keys: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, similar known key) of the misspelt keys of a type of plugin."""
    if kind not in KEYS:
        return []
    known = {key.lower(): key for key in f"{ALL} {KEYS[kind]}".split()}
    odd = [key for key in keys if key.lower() not in known]
    return [(key, known[near]) for key in odd if (near := closest(key.lower(), known, ALIKE))]


def of_files(chosen: Iterable[Network], conf_dir: str, unreadable: bool) -> list[str]:
    """Warnings of further files with the name of a chosen network, and of files that cannot be read."""
    try:
        everything = list(conflist.load_all(conf_dir))
    except ConfigFailure:
        return []
    found = []
    readable = [(os.path.abspath(path), each.name) for path, each in everything if isinstance(each, Network)]
    for network in chosen:
        first, *others = [path for path, name in readable if name == network.name] or [""]
        if others and first == network.source:
            files = ", ".join(map(os.path.basename, others))
            counts = f"{os.path.basename(first)} counts, and not {files}"
            found.append(f"network {network.name} is in several files: {counts}")
    failures = [each for _, each in everything if unreadable and isinstance(each, ConfigFailure)]
    return found + [f"{failure.msg}; passed over" for failure in failures]


def of_ports(request: Request) -> list[str]:
    """Warnings of published ports on which a process of this host listens: it gets no packets any more."""
    found = []
    for mapping in answers.mappings(request.capability_args):
        host_ip = answers.text(mapping.get("hostIP"))
        taken = [
            f"{port}/{protocol}"
            for protocol, port in host_ports.places(mapping)[:PORTS_ASKED]
            if not ports.unserved(mapping) and not host_ports.is_free(protocol, port, host_ip)
        ]
        if taken:
            goes = f"what comes for {ports.shown(mapping)} goes to the container instead"
            found.append(f"a process of this host has {', '.join(taken[:5])}: {goes}")
    return found
