"""What a bridge configuration asks for: every key read and checked. Pure."""

from __future__ import annotations

from core import address
from core.cni.config import Section, cni_args, parsed
from core.cni.result import dns
from core.errors import INVALID_CONFIG, CNIError
from core.plan import filter as intents
from core.plan import from_ipam
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.result import Result

LARGEST_MTU = 65535
LARGEST_VLAN = 4094


class Options(Record):
    """The keys of the configuration, checked.

    vlans: (id, native?) pairs of the port.
    dns: None when it overrides nothing.
    inside: networks that containers leave under the host's address, besides their own.
    backend: of the packet filter.
    """

    bridge: str
    is_gateway: bool
    is_default_gateway: bool
    force_address: bool
    masquerade: bool
    inside: tuple[address.Cidr, ...]
    mtu: int
    hairpin: bool
    promiscuous: bool
    vlan: int
    vlans: tuple[tuple[int, bool], ...]
    vlan_filtering: bool
    keep_default_vlan: bool
    spoof_check: bool
    detect: bool
    disabled: bool
    isolated: bool
    ipam: str
    dns: dict[str, Any] | None
    mac: bytes
    backend: Any

    def leaves(self, own: address.Cidr) -> address.Cidr:
        """An address with the length of the network that it leaves under the host's address, *own* as it is.

        That is the widest one of ipMasqOutside in which it lies, else its own network.
        """
        around = [each.prefix_len for each in self.inside if address.contains(each, own.address)]
        return address.Cidr(own.address, min([own.prefix_len, *around]))

    @property
    def layer3(self) -> bool:
        """Whether the container gets addresses."""
        return bool(self.ipam)

    def complete(self, ipam: Result) -> Result:
        """IPAM's result with what the configuration adds: gateways, default routes, dns."""
        answer = {**self.own(ipam), "routes": list(ipam["routes"])}
        if self.is_default_gateway:
            answer["routes"] += self._default_routes(answer)
        return answer if self.dns is None else {**answer, "dns": self.dns}

    def given(self, own: Result) -> Result:
        """What ADD was given by IPAM, told from the interface's part of prevResult.

        Where the bridge is the gateway, each of our addresses got one; an address of a later plugin may have
        none.
        """
        marked = [item for item in own["ips"] if "gateway" in item]
        return self.own({**own, "ips": marked if self.is_gateway and marked else own["ips"]})

    def own(self, source: Result) -> Result:
        """*source* with the container's interface index, and the bridge as gateway where it is one."""
        ips = []
        for item in source["ips"]:
            cidr = address.parse_cidr(item["address"])
            implied = {"gateway": address.text(address.first_host(cidr))} if self.is_gateway else {}
            ips.append(
                {
                    "interface": 2,
                    "address": item["address"],
                    **implied,
                    **{key: item[key] for key in item if key != "interface"},
                }
            )
        return {**source, "ips": ips}

    def _default_routes(self, answer: Result) -> list[dict[str, Any]]:
        """One through the bridge for each family with an address and no default route by a gateway yet."""
        default = [item for item in answer["routes"] if item["dst"].endswith("/0") and "gw" in item]
        routed = {address.parse_cidr(item["dst"]).family for item in default}
        return [
            {"dst": str(family.default), "gw": address.text(gateway)}
            for family, gateway in from_ipam.gateways(answer).items()
            if family not in routed
        ]


def options(config: Section, args: str) -> Options:
    """Read and check every key. Raises CNIError."""
    backend = intents.chosen(config, "ipMasqBackend")
    vlan = config.integer("vlan", 0, LARGEST_VLAN)
    trunk = _trunk(config)
    is_default_gateway = config.boolean("isDefaultGateway")
    wanted = Options(
        bridge=_bridge_name(config),
        is_gateway=config.boolean("isGateway") or is_default_gateway,
        is_default_gateway=is_default_gateway,
        force_address=config.boolean("forceAddress"),
        masquerade=config.boolean("ipMasq"),
        inside=_networks(config, "ipMasqOutside"),
        mtu=config.integer("mtu", 0, LARGEST_MTU),
        hairpin=config.boolean("hairpinMode"),
        promiscuous=config.boolean("promiscMode"),
        vlan=vlan,
        vlans=_port_vlans(vlan, trunk),
        vlan_filtering=bool(vlan) or "vlanTrunk" in config,
        keep_default_vlan=config.boolean("preserveDefaultVlan"),
        spoof_check=config.boolean("macspoofchk"),
        detect=config.boolean("enabledad"),
        disabled=config.boolean("disableContainerInterface"),
        isolated=config.boolean("portIsolation"),
        ipam=config.section("ipam").text("type"),
        dns=_dns(config),
        mac=from_ipam.container_mac(config, cni_args(args, ("MAC",))),
        backend=backend,
    )
    return _consistent(wanted)


def _consistent(wanted: Options) -> Options:
    if wanted.ipam and wanted.disabled:
        contradiction = f"disableContainerInterface: true contradicts ipam.type {wanted.ipam!r}"
        raise CNIError(INVALID_CONFIG, contradiction, "a link that stays down has no addresses")
    if wanted.hairpin and wanted.promiscuous:
        raise CNIError(
            INVALID_CONFIG, "hairpinMode: true contradicts promiscMode: true", "choose one of them"
        )
    if 0 < wanted.mtu < 68 or (0 < wanted.mtu < 1280 and wanted.detect):
        raise CNIError(INVALID_CONFIG, f"mtu: want at least 68 (1280 with IPv6), found {wanted.mtu}")
    return wanted


def _bridge_name(config: Section) -> str:
    from core.cni.protocol import ifname_complaint  # late: loaded already

    name = config.text("bridge") or "cni0"
    complaint = ifname_complaint(name) or (
        "the kernel would take it as a pattern and make another one each time" if "%" in name else ""
    )
    if complaint:
        raise CNIError(INVALID_CONFIG, f"bridge: want the name of an interface, found {name!r}: {complaint}")
    return name


def _networks(config: Section, key: str) -> tuple[address.Cidr, ...]:
    found = enumerate(config.texts(key))
    want = "a network, as 10.244.0.0/16"
    return tuple([parsed(f"{config.name(key)}[{at}]", text, address.parse_cidr, want) for at, text in found])


def _dns(config: Section) -> dict[str, Any] | None:
    section = config.section("dns")
    return (
        dns(section)
        if any([key in section for key in ("nameservers", "domain", "search", "options")])
        else None
    )


def _trunk(config: Section) -> list[int]:
    """The ids of vlanTrunk, sorted, each once. Raises CNIError."""
    ids: set[int] = set()
    for item in config.sections("vlanTrunk"):
        if "id" in item:
            ids.add(item.integer("id", 1, LARGEST_VLAN))
        low, high = item.integer("minID", 1, LARGEST_VLAN), item.integer("maxID", 1, LARGEST_VLAN)
        if bool(low) != bool(high) or low > high:
            raise CNIError(
                INVALID_CONFIG,
                f"{item.path}: want minID and maxID, the smaller first, found minID {low} and maxID {high}",
            )
        ids.update(range(low, high + 1) if low else ())
    return sorted(ids)


def _port_vlans(vlan: int, trunk: list[int]) -> tuple[tuple[int, bool], ...]:
    """The native VLAN (1 for a trunk without one) and the tagged ones."""
    native = vlan or (1 if trunk else 0)
    tagged = tuple([(each, False) for each in trunk if each != native])
    return (((native, True),) if native else ()) + tagged
