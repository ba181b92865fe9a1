"""What is worth saying before anything is wired: keys that no plugin knows, files of one name, files that nobody can read, ports in use."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launcher import answers, conflist, host_ports, ports
from launcher.cache import Request
from launcher.conflist import Network
from launcher.failures import ConfigFailure
from launcher.usage import closest

# Keys by the type of plugin, as docs/compatibility.md lists them; any case will do. Of other suites' plugins nothing is known.
ALL = "cniVersion cniVersions name type args ipam dns capabilities runtimeConfig prevResult timeoutSeconds"
KEYS = {
    "bridge": "bridge isGateway isDefaultGateway forceAddress ipMasq ipMasqBackend mtu hairpinMode promiscMode vlan vlanTrunk preserveDefaultVlan"
    " macspoofchk enabledad disableContainerInterface portIsolation mac",
    "host-local": "ranges subnet rangeStart rangeEnd gateway routes dataDir resolvConf",
    "portmap": "backend snat masqAll conditionsV4 conditionsV6 markMasqBit externalSetMarkChain",
}
ALIKE = 0.8  # of difflib: one letter more, less or other in a word of some length
PORTS_ASKED = 256  # of a range


def of_networks(chosen: Sequence[Network], conf_dir: str, unreadable: bool = True) -> list[str]:
    """What to warn of before *chosen* are used. unreadable: other files may have been meant."""
    return [text for network in chosen for text in misspelt(network)] + of_files(chosen, conf_dir, unreadable)


def misspelt(network: Network) -> list[str]:
    """Keys that no plugin knows and that look like one that it knows; plugins ignore them without a word."""
    found = []
    for plugin in network.plugins:
        ipam = plugin.get("ipam")
        for kind, keys in (
            (plugin["type"], plugin),
            (answers.text(ipam.get("type")) if isinstance(ipam, dict) else "", ipam),
        ):
            for key, near in unknown(kind, keys) if isinstance(keys, Mapping) else ():
                found.append(
                    f"network {network.name}, plugin {kind}: nobody knows the key {key}, so it does nothing; did you mean {near}?"
                )
    return found


def unknown(kind: str, keys: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, nearest known one) of the misspelt keys for a type of plugin."""
    if kind not in KEYS:
        return []
    known = {key.lower(): key for key in f"{ALL} {KEYS[kind]}".split()}
    odd = [key for key in keys if key.lower() not in known]
    return [(key, known[near]) for key in odd if (near := closest(key.lower(), known, ALIKE))]


def of_files(chosen: Iterable[Network], conf_dir: str, unreadable: bool) -> list[str]:
    """Further files with the name of a chosen network, and files of which nobody knows what they hold."""
    try:
        everything = list(conflist.load_all(conf_dir))
    except ConfigFailure:
        return []
    found = []
    for network in chosen:
        first, *others = [
            os.path.abspath(path)
            for path, each in everything
            if isinstance(each, Network) and each.name == network.name
        ] or [""]
        if others and first == network.source:
            files = ", ".join(map(os.path.basename, others))
            found.append(
                f"network {network.name} is in several files: {os.path.basename(first)} counts, and not {files}"
            )
    return found + [
        f"{each.msg}; passed over" for _, each in everything if unreadable and isinstance(each, ConfigFailure)
    ]


def of_ports(request: Request) -> list[str]:
    """Published ports on which a process of this host listens already: it will not hear what comes for them."""
    found = []
    for mapping in answers.mappings(request.capability_args):
        host_ip = answers.text(mapping.get("hostIP"))
        taken = [
            f"{port}/{protocol}"
            for protocol, port in host_ports.places(mapping)[:PORTS_ASKED]
            if not ports.unserved(mapping) and not host_ports.is_free(protocol, port, host_ip)
        ]
        if taken:
            found.append(
                f"a process of this host has {', '.join(taken[:5])}: what comes for {ports.shown(mapping)} goes to the container instead"
            )
    return found
