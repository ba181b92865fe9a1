"""Options of the bridge plugin: what is refused, who says the MAC, what IPAM's answer gains."""

from typing import Any

import pytest

from core.address import parse_cidr
from core.cni import result
from core.cni.config import Section
from core.errors import INVALID_CONFIG, CNIError
from core.iptables.backend import Backend
from core.plan import filter as intents
from plugins.bridge.options import options
from tests.unit.bridge.planned import ipam, wanted


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"vlan": -100}, ["vlan", "-100"]),  # B-50
        ({"vlan": 5000}, ["vlan", "5000"]),  # B-50
        ({"vlan": 4095}, ["vlan", "4095"]),  # B-50
        ({"vlanTrunk": [{"minID": 10}]}, ["vlanTrunk[0]", "minID", "10"]),  # B-52
        ({"vlanTrunk": [{"id": 5}, {"maxID": 10}]}, ["vlanTrunk[1]", "maxID", "10"]),  # B-53
        ({"vlanTrunk": [{"minID": -1, "maxID": 10}]}, ["vlanTrunk[0].minID", "-1"]),  # B-54
        ({"vlanTrunk": [{"minID": 4095, "maxID": 4096}]}, ["vlanTrunk[0].minID", "4095"]),  # B-55
        ({"vlanTrunk": [{"minID": 10, "maxID": 5000}]}, ["vlanTrunk[0].maxID", "5000"]),  # B-56
        ({"vlanTrunk": [{"minID": 10, "maxID": -1}]}, ["vlanTrunk[0].maxID", "-1"]),  # B-57
        ({"vlanTrunk": [{"id": 5000}]}, ["vlanTrunk[0].id", "5000"]),  # B-58
        ({"vlanTrunk": [{"id": -1}]}, ["vlanTrunk[0].id", "-1"]),  # B-59
        ({"vlanTrunk": [{"minID": 20, "maxID": 10}]}, ["vlanTrunk[0]", "20", "10"]),  # B-60
        ({"vlanTrunk": [{"id": 0}]}, ["vlanTrunk[0].id", "0"]),
        ({"vlanTrunk": {"id": 1}}, ["vlanTrunk"]),
        ({"mtu": 67}, ["mtu", "67"]),
        ({"hairpinMode": True, "promiscMode": True}, ["hairpinMode", "promiscMode"]),  # B-61
        (ipam(disableContainerInterface=True), ["disableContainerInterface", "ipam.type"]),  # B-46
        ({"bridge": "no/name"}, ["bridge", "no/name"]),
        ({"ipMasqBackend": "ebtables"}, ["ipMasqBackend", "ebtables"]),  # B-40
        ({"ipMasqOutside": ["10.0.0.0/8", "10.244.0.0"]}, ["ipMasqOutside[1]", "10.244.0.0"]),
        ({"ipMasqOutside": "10.244.0.0/16"}, ["ipMasqOutside", "a list"]),
        ({"args": {"cni": {"mac": "01:00:00:00:00:01"}}}, ["args.cni.mac", "01:00:00:00:00:01"]),
        ({"runtimeConfig": {"mac": "02:00:00:00:01"}}, ["runtimeConfig.mac", "02:00:00:00:01"]),
    ],
    ids=str,
)
def test_what_is_refused(keys: dict[str, Any], words: list[str]) -> None:
    """B-40 B-46 B-50 B-52 B-53 B-54 B-55 B-56 B-57 B-58 B-59 B-60 B-61: the error names key and value."""
    with pytest.raises(CNIError) as refused:
        wanted(**keys)
    assert refused.value.code == INVALID_CONFIG
    assert [word for word in words if word not in refused.value.msg] == []


def test_the_backend_that_masquerades() -> None:
    """B-36 B-37 B-38: ours in nft where nobody says otherwise."""
    backends = [wanted(ipMasqBackend=name).backend for name in ("", "nftables", "iptables")]
    assert backends == [intents.NFT, intents.NFT, Backend()]


def test_the_network_that_is_left_under_the_hosts_address() -> None:
    """The widest one of its family in which the address lies, and none that is narrower than its own."""
    outside = ["10.1.0.0/20", "10.1.0.0/16", "10.1.0.0/28", "10.9.0.0/8", "192.168.0.0/16", "fd01::/48"]
    texts = ["10.1.0.7/24", "10.2.0.7/24", "192.0.2.7/24", "fd01::7/64", "fd02::7/64"]
    masquerading = wanted(ipMasqOutside=outside)
    found = [str(masquerading.leaves(parse_cidr(text))) for text in texts]
    assert found == ["10.1.0.7/8", "10.2.0.7/8", "192.0.2.7/24", "fd01::7/48", "fd02::7/64"]


@pytest.mark.parametrize(
    ("runtime", "args", "environment", "expected"),
    [
        ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "MAC=02:00:00:00:00:0c", "0a"),  # B-33
        (None, "02:00:00:00:00:0b", "MAC=02:00:00:00:00:0c", "0b"),  # B-31
        (None, None, "MAC=02-00-00-00-00-0C", "0c"),  # B-30
        ("02:00:00:00:00:0a", None, "", "0a"),  # B-32
        (None, None, "IgnoreUnknown=1;K8S_POD_NAME=x", ""),  # B-68
    ],
)
def test_who_says_the_mac(runtime: str | None, args: str | None, environment: str, expected: str) -> None:
    """B-30 B-31 B-32 B-33 B-68: runtimeConfig wins over args.cni, and that over CNI_ARGS."""
    config = Section({"runtimeConfig": {"mac": runtime}, "args": {"cni": {"mac": args}}})
    assert options(config, environment).mac == bytes.fromhex("0200000000" + expected if expected else "")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({}, None),
        ({"dns": {}}, None),
        ({"dns": {"nameservers": []}}, {}),
        ({"dns": {"domain": "x"}}, {"domain": "x"}),
    ],
    ids=str,
)
def test_dns_overrides_that_of_ipam_if_any_key_is_set(
    key: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    """B-7: an empty list included."""
    given = result.parse({"ips": [{"address": "10.1.0.7/24"}], "dns": {"nameservers": ["9.9.9.9"]}}, "1.1.0")
    assert wanted(**ipam(**key)).complete(given)["dns"] == (
        {"nameservers": ["9.9.9.9"]} if expected is None else expected
    )


def test_what_the_result_gains() -> None:
    """The container's index, implied gateways, default routes; what is unknown stays."""
    given = result.parse(
        {
            "ips": [{"address": "10.1.0.7/24", "x": 1}, {"address": "fd01::7/64", "gateway": "fd01::9"}],
            "y": 2,
        },
        "1.1.0",
    )
    assert wanted(**ipam(isDefaultGateway=True)).complete(given) == {
        "cniVersion": "1.1.0",
        "interfaces": [],
        "ips": [
            {"interface": 2, "address": "10.1.0.7/24", "x": 1, "gateway": "10.1.0.1"},
            {"interface": 2, "address": "fd01::7/64", "gateway": "fd01::9"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "::/0", "gw": "fd01::9"}],
        "dns": {},
        "y": 2,
    }
