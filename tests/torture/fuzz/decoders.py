"""What `make fuzz` does with single decoders: bytes or text in, a value or the documented exception out."""

from collections.abc import Callable, Mapping
from typing import Any

from core import address
from core.address import mac_parse
from core.attachment import Attachment
from core.cni.config import Section, cni_args, valid_attachments
from core.cni.json import parse
from core.cni.protocol import ifname_complaint, is_identifier
from core.cni.result import parse_prev, render
from core.cni.result import route as route_of_result
from core.cni.version import ALL
from core.dbus import message as bus_message
from core.errors import CNIError
from core.kernel.tuned import is_same
from core.netlink import conntrack, message, route, socket, tc, vlan
from core.netlink.link import read_link
from core.nft import decode as nft_decode
from core.nft import meaning, values
from core.nft.conditions import compile_words
from core.plan import kept
from ipam.host_local import ranges, reservation, resolv
from plugins.tuning.options import refuse_repeated, sysctl_path
from tests.torture.fuzz.inputs import Inputs


def understood(table: str, name: str, payload: bytes, containing: bytes = b"") -> None:
    """What the elements in a reply are for."""
    meaning.understand(nft_decode.decoded(table, name, payload, containing))


# A reply and the documented exceptions.
BINARY: tuple[tuple[Callable[[bytes], Any], tuple[type[Exception], ...]], ...] = (
    (message.attribute_list, ()),
    (read_link, (ValueError,)),
    (route.read_address, (ValueError,)),
    (route.read_route, (ValueError,)),
    (vlan.read_vlans, (ValueError,)),
    (lambda data: tc.read_bucket(tc.read_qdisc(data)), (ValueError,)),
    (tc.read_filter, (ValueError,)),
    (lambda data: understood("inet", "hostports4", data), ()),
    (lambda data: understood("inet", "hostip_hostports6-0123abcd-2", data), ()),
    (lambda data: understood("inet", "masquerade4", data), ()),
    (lambda data: understood("bridge", "spoof", data, data[:2]), ()),
    (lambda data: understood("inet", "zoned4-32", data), ()),
    (bus_message.size, (ValueError,)),
    (bus_message.parse, (ValueError,)),
    (values.comment_text, ()),
    (lambda data: socket.failure(data, 0x200), ()),
    (lambda data: socket.failure(data, 0x200, socket.DONE), ()),
    (lambda data: conntrack._target(message.attributes(data, 4)), ()),
    (reservation.owner, ()),
    (reservation.is_torn, ()),
    (lambda data: parse(data, "it"), (CNIError,)),
    (lambda data: kept.parse(data, "it"), (kept.Damaged,)),
    (lambda data: refuse_repeated(b'{"sysctl":' + data + b"}"), (CNIError,)),
)
TEXTUAL: tuple[tuple[Callable[[str], Any], tuple[type[Exception], ...]], ...] = (
    (address.parse, (ValueError,)),
    (address.parse_cidr, (ValueError,)),
    (mac_parse, (ValueError,)),
    (lambda text: compile_words([text]), (ValueError,)),
    (lambda text: compile_words(text.split("/")), (ValueError,)),
    (lambda text: cni_args(text, ("IP", "MAC")), (CNIError,)),
    (is_identifier, ()),
    (ifname_complaint, ()),
    (bus_message.socket_addresses, ()),
    (reservation.packed, ()),
    (sysctl_path, ()),
    (lambda text: is_same(text, "1"), ()),
    (lambda text: Attachment(text, text, text).host_ifname, (UnicodeEncodeError,)),
)
RESULT = {
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "eth0", "sandbox": "/x"}],
    "ips": [{"address": "10.1.0.2/24", "interface": 0, "gateway": "10.1.0.1"}],
}
ROUTES = [
    {"dst": "10.0.0.0/8", "gw": "10.1.0.1", "mtu": 1, "advmss": 2, "priority": 3, "table": 4, "scope": 0}
]
RANGES = {
    "ranges": [
        [{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "gateway": "10.1.0.9"}],
        [{"subnet": "fd01::/64"}],
    ]
}


KEPT = {
    "mac": "02:00:00:00:00:01",
    "promisc": False,
    "mtu": 1500,
    "allmulti": False,
    "txQLen": 1000,
    "sysctl": {"net/core/x": {"before": "1", "after": "2"}},
    "owner": "net/c1/eth0",
    "netns": 7,
}


def decode(inputs: Inputs, payloads: Mapping[tuple[int, int], list[bytes]]) -> None:
    """Give one decoder one input. Raises whatever is not documented."""
    kind = inputs.below(10)
    if kind < 5:
        function, documented = inputs.one(BINARY)
        call(function, documented, packet(inputs, payloads))
    elif kind < 8:
        decoder, documented = inputs.one(TEXTUAL)
        whole, text = inputs.chance(0.5), inputs.text()
        if not whole:
            torn = inputs.torn(text.encode("utf-8", "surrogatepass"))
            text = torn.decode("utf-8", "surrogateescape")
        call(decoder, documented, text)
    else:
        call(structured, (CNIError,), inputs)


def call(function: Callable[[Any], Any], documented: tuple[type[Exception], ...], value: Any) -> None:
    try:
        function(value)
    except documented:
        pass


def packet(inputs: Inputs, payloads: Mapping[tuple[int, int], list[bytes]]) -> bytes:
    """A recorded reply, torn some times, or anything."""
    if not payloads or inputs.chance(0.1):
        return inputs.blob(120)
    data: bytes = inputs.one(payloads[inputs.one(tuple(payloads))])
    for _ in inputs.some(4):
        data = inputs.torn(data)
    return data


def structured(inputs: Inputs) -> None:
    """The readers of configurations."""
    kind, version = inputs.below(6), inputs.one(ALL)
    if kind == 0:
        result = inputs.spoiled({**RESULT, "routes": ROUTES, "dns": {"search": ["x"]}}, inputs.below(5))
        render(parse_prev(Section({"prevResult": result}), version) or {}, version)
    elif kind == 1:
        for item in Section({"routes": inputs.spoiled(ROUTES, inputs.below(4))}).sections("routes"):
            route_of_result(item)
    elif kind == 2:
        configured = ranges.configured(Section({"ipam": inputs.spoiled(RANGES, inputs.below(4))}), version)
        for one in configured:
            ranges.size(one)
            ranges.text(one)
            next(iter(ranges.spans(one, None)), None)
    elif kind == 3:
        valid_attachments(
            Section(
                {
                    "cni.dev/valid-attachments": inputs.spoiled(
                        [{"containerID": "c", "ifname": "e"}], inputs.below(3)
                    )
                }
            )
        )
    elif kind == 4:
        document = inputs.document(inputs.spoiled(KEPT, inputs.below(4)))
        told = kept.parse(document, "it")
        assert kept.parse(kept.render(told), "it") == told
    else:
        with open("resolv.conf", "wb") as file:
            file.write(inputs.torn(b"nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n# x\n\xff"))
        resolv.read("resolv.conf")
