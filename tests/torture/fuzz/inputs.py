"""Random inputs for `make fuzz`: usual ones, and the same with something wrong.

Everything comes from one random.Random.

So an input can be had again by its seed, and Hypothesis, which can be a random.Random, shrinks what it finds.
"""

import json
from os import getcwd
from random import Random
from typing import Any

from core.cni.version import ALL
from tests.torture.fuzz.vocabulary import (
    ADDRESSES,
    BANDWIDTH_KEYS,
    BRIDGE_KEYS,
    FIREWALL_KEYS,
    KEYS,
    NAMES,
    NUMBERS,
    RATES,
    SUBNETS,
    TEXTS,
    TUNING_KEYS,
    WORDS,
)

NETNS = ("/netns/c0", "/netns/c1", "/netns/c1", "/netns/c2", "/netns/c3", "/gone", "")
CHAINED = ("portmap", "tuning", "bandwidth", "firewall")
GATEWAYS = ("10.1.0.1", "fd01::1", "", None)
VARIABLES = ("CNI_ARGS", "CNI_NETNS_OVERRIDE", "CNIWIRE_TIMEOUT", "CNIWIRE_IPAM_TIMEOUT", "CNIWIRE_DEBUGS")


class Inputs:
    """A source of inputs; *random* decides everything."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def one(self, of: Any) -> Any:
        return of[int(self.random.random() * len(of))]

    def below(self, limit: int) -> int:
        return int(self.random.random() * limit)

    def some(self, most: int) -> range:
        return range(self.below(most + 1))

    def blob(self, most: int = 40) -> bytes:
        return bytes([self.below(256) for _ in self.some(most)])

    def text(self) -> str:
        if self.chance(0.9):
            return str(self.one(self.one((SUBNETS, ADDRESSES, NAMES, WORDS, TEXTS, ALL))))
        return "".join([chr(self.below(0x300)) for _ in self.some(12)])

    # -- JSON --------------------------------------------------------------------------------------

    def leaf(self) -> Any:
        kind = self.below(8)
        if kind < 4:
            return self.text()
        return self.one(NUMBERS) if kind < 6 else self.one((None, True, False, [], {}))

    def tree(self, depth: int = 3) -> Any:
        """Any JSON value."""
        kind = self.below(4) if depth else 3
        if kind == 0:
            return [self.tree(depth - 1) for _ in self.some(3)]
        if kind == 1:
            return {self.key(): self.tree(depth - 1) for _ in self.some(4)}
        return self.leaf()

    def key(self) -> str:
        key = str(self.one(KEYS)) if self.chance(0.95) else self.text()
        return key.upper() if self.chance(0.03) else key

    def spoiled(self, value: Any, times: int) -> Any:
        """*value* with *times* of its members replaced, added, repeated or taken away."""
        for _ in range(times):
            value = self._spoil(value)
        return value

    def _spoil(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.chance(0.9):
            key = self.one(list(value))
            deed = self.below(12)
            if deed == 0:
                return {name: item for name, item in value.items() if name != key}
            if deed == 1:
                return {**value, self.key(): self.tree(2)}
            if deed == 2:
                return {**value, key.upper(): self.tree(1)}
            return {**value, key: self._spoil(value[key])}
        if isinstance(value, list) and value and self.chance(0.9):
            at = self.below(len(value))
            deed = self.below(6)
            if deed == 0:
                return value + value[at : at + 1]
            if deed == 1:
                return value[:at]
            return [*value[:at], self._spoil(value[at]), *value[at + 1 :]]
        return self.tree(2) if self.chance(0.3) else self.leaf()

    def document(self, value: Any) -> bytes:
        """*value* as JSON, now and then with its bytes spoiled."""
        data = json.dumps(value, ensure_ascii=self.chance(0.5)).encode("utf-8", "surrogatepass")
        return self.torn(data) if self.chance(0.05) else data

    def torn(self, data: bytes) -> bytes:
        """*data* with a hole, a flipped bit, something between or behind, or its end missing."""
        deed, at = self.below(6), self.below(len(data) + 1)
        if deed == 0:
            return data[:at]
        if deed == 1:
            return data[:at] + self.blob(8) + data[at:]
        if deed == 2:
            return data[:at] + data[at + self.below(9) :]
        if deed == 3:
            return data + self.blob(20)
        if deed == 4:
            return data[:at] + data[at:] * 2
        if at == len(data):
            return self.blob()
        return data[:at] + bytes([data[at] ^ 1 << self.below(8)]) + data[at + 1 :]

    # -- the protocol ------------------------------------------------------------------------------

    def config(self, data: str, kind: str) -> dict[str, Any]:
        """A configuration that a plugin of this *kind* could live with; *data* is host-local's dataDir."""
        version = self.one(ALL) if self.chance(0.3) else "1.1.0"
        config: dict[str, Any] = {"name": "net", "cniVersion": version, "type": kind}
        if kind == "bridge":
            config |= {key: self.one(BRIDGE_KEYS[key]) for key in BRIDGE_KEYS if self.chance(0.1)}
        if kind == "tuning":
            config |= self.tuning(f"{getcwd()}/{data}/tuning")
        if kind == "portmap" and self.chance(0.9):
            config["runtimeConfig"] = {"portMappings": [self.mapping() for _ in self.some(3)]}
            config |= {key: [self.one(WORDS)] for key in ("conditionsV4", "conditionsV6") if self.chance(0.1)}
            config |= {key: self.chance(0.5) for key in ("snat", "masqAll") if self.chance(0.2)}
        if kind == "bandwidth":
            rates = {key: self.one(RATES) for key in BANDWIDTH_KEYS if self.chance(0.9)}
            config |= rates if self.chance(0.5) else {"runtimeConfig": {"bandwidth": rates}}
        if kind == "firewall":
            config |= {key: self.one(FIREWALL_KEYS[key]) for key in FIREWALL_KEYS if self.chance(0.4)}
        if kind not in CHAINED and self.chance(0.8):
            config["ipam"] = self.ipam(data) if kind != "static" and self.chance(0.9) else self.static()
        if self.chance(0.1):
            config["args"] = {"cni": {"ips": [self.one(ADDRESSES)], "mac": self.text()}}
        if kind != "portmap" and self.chance(0.1):
            config["runtimeConfig"] = {"ips": [self.one(ADDRESSES) for _ in self.some(3)]}
        return config

    def tuning(self, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = {key: self.one(TUNING_KEYS[key]) for key in TUNING_KEYS if self.chance(0.5)}
        if self.chance(0.3):
            key = self.one(tuple(TUNING_KEYS))
            found["args"] = {"cni": {key: self.one(TUNING_KEYS[key])}}
        return found | {"dataDir": folder}

    def ipam(self, data: str) -> dict[str, Any]:
        ipam: dict[str, Any] = {
            "type": "host-local" if self.chance(0.95) else self.one(("fake", "bridge", "")),
            "dataDir": data,
        }
        if self.chance(0.8):
            subnets = ("10.1.0.0/24", "fd01::/64", "10.1.0.0/29", "10.2.0.0/30")
            ipam["ranges"] = [[{"subnet": subnet}] for subnet in self.random.sample(subnets, 1)]
        else:
            ipam["subnet"] = self.one(SUBNETS)
        if self.chance(0.2):
            ipam["routes"] = [{"dst": self.one(SUBNETS), "gw": self.one(ADDRESSES)} for _ in self.some(2)]
        if self.chance(0.1):
            ipam |= {key: self.one(ADDRESSES) for key in ("rangeStart", "rangeEnd", "gateway")}
        return ipam

    def static(self) -> dict[str, Any]:
        """A section ipam for the plugin static."""
        ends = ("10.1.0.7/24", "10.1.0.8/24", "fd01::7/64", "fd01::8/64")
        addresses = [{"address": self.one(ends), "gateway": self.one(GATEWAYS)} for _ in self.some(2)]
        routes = [{"dst": self.one(SUBNETS), "gw": self.one(ADDRESSES)} for _ in self.some(2)]
        return {"type": "static", "addresses": addresses, "routes": routes, "dns": {"domain": self.text()}}

    def mapping(self) -> dict[str, Any]:
        made = {
            "hostPort": self.one((80, 8080, 8081, 1, 65535)),
            "containerPort": 80,
            "protocol": self.one(("tcp", "udp", "sctp")),
        }
        made |= {"hostIP": self.one(ADDRESSES)} if self.chance(0.2) else {}
        return made | ({"range": self.one((1, 2, 9))} if self.chance(0.1) else {})

    def environ(self, command: str, folder: str) -> dict[str, str]:
        """The variables of a call; *folder*, of our executables, is the only place to look for plugins."""
        values = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": self.one(("c0", "c1", "c2", "c3")),
            "CNI_NETNS": self.one(NETNS),
            "CNI_IFNAME": self.one(("eth0", "eth1")),
            "CNI_PATH": folder,
        }
        if self.chance(0.2):
            name = self.one((*values, *VARIABLES))
            if name == "CNI_PATH":
                values[name] = self.one((folder, "", "/nowhere", f"/nowhere:{folder}"))
            else:
                values[name] = self.text().replace("\0", "")
        if self.chance(0.02):
            del values[self.one(list(values))]
        return values
