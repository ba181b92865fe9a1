"""What a result says, for people and for the launcher's own use. Pure.

Read leniently, because the cache files of other runtimes may hold anything.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core.cni.result import DNS


def interfaces(outcome: Mapping[str, Any]) -> list[dict[str, str]]:
    """name, mac and sandbox of each interface; "" where a key is missing or no text."""
    return [
        {key: text(item.get(key)) for key in ("name", "mac", "sandbox")}
        for item in objects(outcome.get("interfaces"))
    ]


def host_interfaces(outcome: Mapping[str, Any]) -> list[str]:
    """The names of the interfaces outside of the container."""
    return [each["name"] for each in interfaces(outcome) if each["name"] and not each["sandbox"]]


def addresses(outcome: Mapping[str, Any]) -> list[str]:
    """The addresses of a result document of any version."""
    old = [text(item.get("ip")) for item in objects([outcome.get(key) for key in ("ip4", "ip6")])]
    new = [text(item.get("address")) for item in objects(outcome.get("ips"))]
    return [found for found in old + new if found]


def dns(outcome: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a result asks of resolv.conf: nameservers, domain (one at most), search, options."""
    asked = outcome.get("dns")
    asked = asked if isinstance(asked, dict) else {}
    values = {key: [asked.get(key)] if key == "domain" else asked.get(key) for key in DNS}
    return {key: texts(value) for key, value in values.items()}


def resolv_conf(outcomes: Iterable[Mapping[str, Any]]) -> str:
    """The resolv.conf that results ask for, "" when they ask for nothing."""
    lines = []
    for asked in map(dns, outcomes):
        lines += [f"nameserver {server}" for server in asked["nameservers"]]
        lines += [f"{key} {' '.join(asked[key])}" for key in DNS if key != "nameservers" and asked[key]]
    return "".join(f"{line}\n" for line in lines)


def mappings(capability_args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The published ports."""
    return objects(capability_args.get("portMappings"))


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in what should be a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The texts in what should be a list of them."""
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


def text(value: Any) -> str:
    """*value* if it is text, else ""."""
    return value if isinstance(value, str) else ""
