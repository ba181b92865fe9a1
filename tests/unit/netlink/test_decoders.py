"""Whatever bytes come, the decoders of rtnetlink messages end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import parse, parse_cidr
from core.netlink import link, route, vlan
from core.netlink.route import Path

MAC = bytes.fromhex("020000000001")


@pytest.mark.parametrize(
    "decode",
    [link.read_link, route.read_address, route.read_route, vlan.read_vlans],
    ids=lambda each: each.__qualname__,
)
@given(st.data())
def test_whatever_bytes_come_a_decoder_ends_and_raises_nothing_but_value_error(
    decode: Any, data: st.DataObject
) -> None:
    """Arbitrary bytes, and true messages torn off or with one byte changed."""
    true = [
        link.new_veth("veth0", "eth0", 7, 3, 1400, MAC),
        route.new_address(7, parse_cidr("fd01::2/64"), True),
        vlan.change(7, [(6, 1)]),
    ]
    true += [route.new_route(7, Path(parse_cidr("10.2.0.0/16"), parse("10.1.0.1"), 1000, 0, 5, 1300, 1200))]
    message = bytearray(data.draw(st.sampled_from(true)).payload)
    place = data.draw(st.integers(0, len(message) - 1))
    message[place] = data.draw(st.integers(0, 255))
    for payload in (data.draw(st.binary(max_size=200)), bytes(message), bytes(message[:place])):
        try:
            decode(payload)
        except ValueError:
            continue
