"""What is wired, as the kernel shows it: network, bridge, port, namespace, addresses, published ports.

The result cache says what was attached. Links and addresses are read from the kernel, so that damage shows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import CNIError
from launcher import answers, conflist, identifiers, netns, ports, target
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.failures import ConfigFailure
from launcher.interfaces import interfaces
from launcher.session import Session, network_of
from launcher.values import UNNAMED


def read(session: Session, references: Iterable[str] = ()) -> dict[str, Any]:
    """The picture as plain values: `networks` with their attachments, and the names of `unwired` namespaces.

    references: networks or containers to show; none means all. Raises ConfigFailure when one cannot be read.
    """
    cached, references = session.cache.attachments(), list(references)
    if references:
        configured, chosen = asked_for(session, references, cached)
    else:
        configured, chosen = every_network(session), cached
    for item in chosen:
        if item.network not in configured:
            configured[item.network] = remembered_network(session, item)
    host = interfaces()
    seen: dict[str, dict[str, dict[str, Any]]] = {}
    for item in chosen:
        path = item.request.netns
        if path not in seen:
            seen[path] = {} if target.gone(item) else interfaces(path)
        configured[item.network].setdefault("attachments", []).append(attachment(item, host, seen[path]))
    for network in configured.values():
        names = [entry["bridge"] for entry in network.get("attachments", []) if "bridge" in entry]
        network["bridges"] = [{"name": name, **link_state(host.get(name))} for name in dict.fromkeys(names)]
    wired = {netns.identity(item.request.netns) for item in cached}
    unwired = [name for name in netns.names() if netns.identity(netns.path_of(name)) not in wired]
    return {"networks": list(configured.values()), "unwired": [] if references else unwired}


def asked_for(
    session: Session, references: Iterable[str], cached: list[Cached]
) -> tuple[dict[str, dict[str, Any]], list[Cached]]:
    """The networks that are named, and the attachments on them.

    Where no network has the name, it is that of a container, and its attachments are meant.
    Raises ConfigFailure.
    """
    found: dict[str, dict[str, Any]] = {}
    chosen: list[Cached] = []
    for reference in references:
        try:
            network = conflist.resolve(reference, session.conf_dir)
            found[network.name] = configured_network(network)
            chosen += [item for item in cached if item.network == network.name]
        except ConfigFailure:
            attached = [item for item in cached if item.network == reference] or session.place(reference)[1]
            if not attached:
                raise
            chosen += attached
    return found, [item for number, item in enumerate(chosen) if item not in chosen[:number]]


def every_network(session: Session) -> dict[str, dict[str, Any]]:
    """All networks of the directory by name, as far as their configuration tells."""
    found: dict[str, dict[str, Any]] = {}
    try:
        everything = list(conflist.load_all(session.conf_dir))
    except ConfigFailure:
        return found  # there is no directory, so the cache alone knows networks
    for path, network_or_failure in everything:
        if isinstance(network_or_failure, Network):
            found.setdefault(network_or_failure.name, configured_network(network_or_failure))
        else:
            found[path] = {"name": path, "source": path, "error": network_or_failure.msg}
    return found


def remembered_network(session: Session, cached: Cached) -> dict[str, Any]:
    """A network that is not configured any more, as it was at the time of the ADD."""
    try:
        return configured_network(network_of(session, cached))
    except CNIError:
        return {"name": cached.network, "source": ""}


def configured_network(network: Network) -> dict[str, Any]:
    """What a configuration tells of its network."""
    values = {
        "name": network.name,
        "source": network.source,
        "cniVersion": network.version or UNNAMED,
        "plugins": [plugin["type"] for plugin in network.plugins],
    }
    origin = "" if network.source else "built in" if network == conflist.built_in() else "from elsewhere"
    return {**values, **({"origin": origin} if origin else {})}


def attachment(cached: Cached, host: Mapping[str, Any], inside: Mapping[str, Any]) -> dict[str, Any]:
    """One attachment: what was asked for, and what the kernel has of it."""
    request = cached.request
    link = inside.get(request.ifname)
    reason = target.gone(cached)
    outside = answers.host_interfaces(cached.result)
    bridge = next((name for name in outside if host.get(name, {}).get("kind") == "bridge"), "")
    port = next((name for name in outside if host.get(name, {}).get("kind") == "veth"), "")
    expected = [name for name in outside if name not in host]
    if reason and port and host[port]["apart"]:
        state, reason = "elsewhere", f"its namespace is not to be seen here, but {port} ends in it"
    elif reason:
        state = "gone"
    elif link is None:
        state = "interface is missing" if inside else "unreadable"
    elif expected:
        state = f"{expected[0]} is missing"
    elif port and bridge and host[port]["master"] != bridge:
        state = f"not on {bridge}"
    else:
        state = "up" if link["up"] else "down"
    values = {
        "containerID": request.container_id,
        "ifname": request.ifname,
        "netns": request.netns,
        "pod": identifiers.pod(request),
        "state": state,
        "why": reason,
        "mac": link["mac"] if link else "",
        "addresses": link["addresses"] if link else [],
        "port": port,
        "bridge": bridge,
        "portMappings": [
            {**mapping, **({"notServed": why} if (why := ports.unserved(mapping)) else {})}
            for mapping in answers.mappings(request.capability_args)
        ],
    }
    return {key: value for key, value in values.items() if value or key == "addresses"}


def link_state(link: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a person wants to know of a bridge."""
    if link is None:
        return {"state": "missing", "addresses": []}
    return {
        "state": "up" if link["up"] else "down",
        "mtu": link["mtu"],
        "mac": link["mac"],
        "addresses": link["addresses"],
    }
