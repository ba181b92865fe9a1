"""Our nft messages read by pyroute2; elements read back by us; sockets that answer anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nftsocket import (
    nft_chain_msg,
    nft_rule_msg,
    nft_set_elem_list_msg,
    nft_set_msg,
    nft_table_msg,
)

from core.address import parse, parse_cidr
from core.attachment import owner_text
from core.netlink import socket
from core.netlink.message import ACK, CREATE, DUMP, EXCL, Message, attribute, nest, pack, string
from core.nft import backend, changes, client, decode, names, ports, values
from core.nft.client import Firewall
from core.nft.conditions import compile_words
from core.nft.meaning import understand
from core.nft.names import BRIDGE, INET, MARK, TABLES, Element
from core.nft.values import (
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELRULE,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    comment_text,
)
from core.publication import Mapping
from core.record import replace
from tests.harness.oracle import read
from tests.harness.skeleton import chains, maps

READERS = {
    NFT_MSG_NEWTABLE: nft_table_msg,
    NFT_MSG_NEWCHAIN: nft_chain_msg,
    NFT_MSG_NEWRULE: nft_rule_msg,
    NFT_MSG_NEWSET: nft_set_msg,
}
READERS |= {
    NFT_MSG_DELRULE: nft_rule_msg,
    NFT_MSG_NEWSETELEM: nft_set_elem_list_msg,
    NFT_MSG_DELSETELEM: nft_set_elem_list_msg,
    NFT_MSG_DELCHAIN: nft_chain_msg,
}
OWNER = "net/c1/eth0"
PORT = ports.port_element(Mapping("tcp", b"", 8080, parse("10.1.0.2"), 80), OWNER)
HAIRPIN = ports.hairpin_elements(parse_cidr("fd01::2/64"), OWNER)[0]


def decoded(message: Message) -> dict[str, Any]:
    return read(message, READERS[message.type])


def steps(rule: dict[str, Any]) -> list[str]:
    """The expressions of a rule, a line each: name and values in pyroute2's words, without what all of them have in common."""
    return [
        step(each["NFTA_EXPR_NAME"], each.get("NFTA_EXPR_DATA", {})) for each in rule["NFTA_RULE_EXPRESSIONS"]
    ]


def step(name: str, data: dict[str, Any]) -> str:
    return " ".join(
        [name, *[said for said in [word(value) for value in data.values()] if said]]
    )  # no flag says nothing


def word(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(word(each) for each in value.values())
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset):  # flags, whose order is not told
        value = "+".join(sorted(map(word, value)))
    text = str(value)
    for prefix in (
        "NF_NAT_RANGE_",
        "NFT_META_",
        "NFT_REG_",
        "NFT_PAYLOAD_",
        "NFT_CMP_",
        "NFT_CT_",
        "NFT_NAT_",
        "NFT_RANGE_",
        "NFT_",
    ):
        text = text.removeprefix(prefix)
    return text.lower()


def rules(messages: list[Message]) -> dict[str, list[list[str]]]:
    """Chain -> the expressions of its rules."""
    found: dict[str, list[list[str]]] = {}
    for message in messages:
        if message.type == NFT_MSG_NEWRULE:
            rule = decoded(message)
            found.setdefault(rule["NFTA_RULE_CHAIN"], []).append(steps(rule))
    return found


def made(family: str) -> list[Message]:
    """What creates everything that is always there."""
    rules_ = [message for chain in chains(family) for message in changes.new_chain(chain)]
    return [changes.new_table(TABLES[family]), *map(changes.new_map, maps(family)), *rules_]


V4, V6 = ["meta nfproto 1", "cmp 1 eq 02"], ["meta nfproto 1", "cmp 1 eq 0a"]
TRANSLATED = ["ct 1 status", "bitwise 1 1 4 bitwise_bool 20000000 00000000", "cmp 1 neq 00000000"]


def test_the_rules_of_the_inet_table() -> None:
    """P-26 P-46 U-4: register by register; all ports of a protocol cost one lookup."""
    found = rules(made(INET))
    assert found.pop("prerouting")[0][1:] == [
        "cmp 1 eq 02000000",
        "immediate verdict jump hostports",
    ]  # pyroute2 misreads fib
    destination4, destination6 = "payload 1 network_header 16 4", "payload 1 network_header 24 16"
    own, local = found.pop("output")
    assert own == [*V6, destination6, f"cmp 1 eq {'00' * 15}01", "immediate verdict return"]
    assert local[1:] == ["cmp 1 eq 02000000", "immediate verdict jump hostports"]
    assert found == {
        "hostports": [
            [
                *(*V4, destination4, "meta l4proto reg32_01", "payload reg32_02 transport_header 2 2"),
                *("lookup hostip_hostports4 1 1", "nat dnat 2 1 1 reg32_01 reg32_01 map_ips+proto_specified"),
            ],
            [
                *("meta l4proto 1", "payload reg32_01 transport_header 2 2", "lookup hostports4 1 1"),
                "nat dnat 2 1 1 reg32_01 reg32_01 map_ips+proto_specified",
            ],
            [
                *(*V6, destination6, "meta l4proto 2", "payload reg32_05 transport_header 2 2"),
                *("lookup hostip_hostports6 1 1", "nat dnat 10 1 1 2 2 map_ips+proto_specified"),
            ],
            [
                "meta l4proto 1",
                "payload reg32_01 transport_header 2 2",
                "lookup hostports6 1 1",
                "nat dnat 10 1 1 2 2 map_ips+proto_specified",
            ],
            ["immediate verdict jump further"],
        ],
        "loopback": [
            [
                *("meta iifname 1", f"cmp 1 neq {b'lo'.hex()}{'00' * 14}"),
                *(*V4, "payload 1 network_header 16 1", "cmp 1 eq 7f", "immediate verdict nf_drop"),
            ]
        ],
        "postrouting": [
            [*TRANSLATED, *V4, destination4, "lookup hairpin4 1 verdict"],
            [*TRANSLATED, *V6, destination6, "lookup hairpin6 1 verdict"],
            [*V4, "payload 1 network_header 12 4", "lookup masquerade4 1 verdict"],
            [*V6, "payload 1 network_header 8 16", "lookup masquerade6 1 verdict"],
        ],
    }


def test_the_rules_of_chains() -> None:
    """B-36 B-45 P-13 P-14"""
    some = [
        backend.outside(parse_cidr("10.1.0.2/23")),
        ports.hairpin(parse_cidr("10.1.0.2/32")),
        ports.hairpin_any(),
    ]
    some += [backend.outside(parse_cidr("fd01::1/64")), ports.hairpin(parse_cidr("fd01::1/64"))]
    masked = "bitwise 1 1 4 bitwise_bool f0000000 00000000"
    multicast4 = [
        *V4,
        "payload 1 network_header 16 4",
        masked,
        "cmp 1 eq e0000000",
        "immediate verdict return",
    ]
    half = f"bitwise 2 2 16 bitwise_bool {'ff' * 8}{'00' * 8} {'00' * 16}"
    assert {name: body for chain in some for name, body in rules(changes.new_chain(chain)).items()} == {
        "outside4-23": [
            [
                *(*V4, "payload 1 network_header 12 4", "payload reg32_01 network_header 16 4"),
                *(
                    "bitwise reg32_01 reg32_01 4 bitwise_bool fffffe00 00000000",
                    "lookup inside4 1",
                    "immediate verdict return",
                ),
            ],
            multicast4,
            ["masq"],
        ],
        "hairpin4-32": [
            [
                *V4,
                "payload 1 network_header 16 4",
                "payload reg32_01 network_header 12 4",
                "lookup near4 1",
                "masq",
            ],
            [*V4, "payload 1 network_header 12 4", "cmp 1 eq 7f000001", "masq"],
        ],
        "hairpin-any": [["masq"]],
        "outside6-64": [
            [
                *V6,
                "payload 1 network_header 8 16",
                "payload 2 network_header 24 16",
                half,
                "lookup inside6 1",
                "immediate verdict return",
            ],
            [*V6, "payload 1 network_header 24 1", "cmp 1 eq ff", "immediate verdict return"],
            ["masq"],
        ],
        "hairpin6-64": [
            [
                *V6,
                "payload 1 network_header 24 16",
                "payload 2 network_header 8 16",
                half,
                "lookup near6 1",
                "masq",
            ]
        ],
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ip saddr 10.0.0.5/8", [*V4, "payload 1 network_header 12 1", "cmp 1 eq 0a"]),
        ("ip daddr != 10.0.0.1", [*V4, "payload 1 network_header 16 4", "cmp 1 neq 0a000001"]),
        (
            "ip daddr != 10.0.0.1-10.0.0.9",
            [*V4, "payload 1 network_header 16 4", "range 1 neq 0a000001 0a000009"],
        ),
        ("ip6 saddr fd01::1", [*V6, "payload 1 network_header 8 16", f"cmp 1 eq {parse('fd01::1').hex()}"]),
        ("iifname eth0", ["meta iifname 1", f"cmp 1 eq {b'eth0'.hex()}{'00' * 12}"]),
        ("meta iifname != veth*", ["meta iifname 1", f"cmp 1 neq {b'veth'.hex()}"]),
        ("meta mark 0x10", ["meta mark 1", f"cmp 1 eq {pack('=I', 16).hex()}"]),
        (
            "tcp dport 80",
            ["meta l4proto 1", "cmp 1 eq 06", "payload 1 transport_header 2 2", "cmp 1 eq 0050"],
        ),
        (
            "udp sport 1-9",
            ["meta l4proto 1", "cmp 1 eq 11", "payload 1 transport_header 0 2", "range 1 eq 0001 0009"],
        ),
        (
            "sctp dport != 5",
            ["meta l4proto 1", "cmp 1 eq 84", "payload 1 transport_header 2 2", "cmp 1 neq 0005"],
        ),
        ("th dport 53", ["payload 1 transport_header 2 2", "cmp 1 eq 0035"]),
    ],
)
def test_conditions(words: str, expected: list[str]) -> None:
    """P-7: what the words compile to."""
    chain = names.Chain(INET, "x", (compile_words([words]),))
    assert rules(changes.new_chain(chain)) == {"x": [expected]}


def test_a_table_with_its_maps_and_chains() -> None:
    """P-26: created where they are missing, with a comment; base chains accept; rules are written anew."""
    messages = made(BRIDGE)
    assert {
        message.flags for message in messages if message.type not in (NFT_MSG_NEWRULE, NFT_MSG_DELRULE)
    } == {CREATE}
    table, macs, spoof, chain, flushed, rule = map(decoded, messages[:6])
    assert table == {
        "nfgen_family": 7,
        "NFTA_TABLE_NAME": "cniwire",
        "NFTA_TABLE_USERDATA": f"cniwire {MARK}: CNI plugins",
    }
    assert (macs["NFTA_SET_KEY_TYPE"], macs["NFTA_SET_KEY_LEN"]) == (41 << 6 | 9, 24)
    assert flushed == {"nfgen_family": 7, "NFTA_RULE_TABLE": "cniwire", "NFTA_RULE_CHAIN": "prerouting"}
    assert spoof == {
        "nfgen_family": 7,
        "NFTA_SET_TABLE": "cniwire",
        "NFTA_SET_NAME": "spoof",
        "NFTA_SET_FLAGS": frozenset(),
        "NFTA_SET_KEY_TYPE": 41,
        "NFTA_SET_KEY_LEN": 16,
        "NFTA_SET_ID": 1,
        "NFTA_SET_USERDATA": [["NFTNL_UDATA_SET_KEYBYTEORDER", pack("=I", 1)]],
    }
    assert chain == {
        "nfgen_family": 7,
        "NFTA_CHAIN_TABLE": "cniwire",
        "NFTA_CHAIN_NAME": "prerouting",
        "NFTA_CHAIN_TYPE": "filter",
        "NFTA_CHAIN_HOOK": {"NFTA_HOOK_HOOKNUM": 0, "NFTA_HOOK_PRIORITY": -300},
        "NFTA_CHAIN_POLICY": 1,
    }
    assert rule["NFTA_RULE_USERDATA"] == MARK
    pair = ["meta iifname 1", "payload 2 ll_header 6 6", "lookup spoof_macs 1 lookup_f_inv"]
    assert steps(rule) == ["meta iifname 1", "lookup spoof 1", *pair, "immediate verdict nf_drop"]


def test_the_types_of_sets() -> None:
    """They lead nowhere, so they have no data."""
    sets = {each["NFTA_SET_NAME"]: each for each in map(decoded, map(changes.new_map, maps(INET)))}
    for name, kind, size in (("inside4", 7 << 6 | 7, 8), ("near6", 8 << 6 | 8, 32)):
        assert (
            sets[name]["NFTA_SET_KEY_TYPE"],
            sets[name]["NFTA_SET_KEY_LEN"],
            sets[name]["NFTA_SET_FLAGS"],
        ) == (kind, size, frozenset())
        assert "NFTA_SET_DATA_TYPE" not in sets[name]


@pytest.mark.parametrize(
    ("name", "key", "data"),
    [
        ("hostports4", (12 << 6 | 13, 8), (7 << 6 | 13, 8)),
        ("hostip_hostports4", (7 << 12 | 12 << 6 | 13, 12), (7 << 6 | 13, 8)),
        ("hostports6", (12 << 6 | 13, 8), (8 << 6 | 13, 20)),
        ("hostip_hostports6", (8 << 12 | 12 << 6 | 13, 24), (8 << 6 | 13, 20)),
        ("hairpin4", (7, 4), (0xFFFFFF00, 16)),
        ("masquerade6", (8, 16), (0xFFFFFF00, 16)),
    ],
)
def test_the_types_of_maps(name: str, key: tuple[int, int], data: tuple[int, int]) -> None:
    """P-26: six bits a type of a concatenation, every part padded to four bytes."""
    sets = {each["NFTA_SET_NAME"]: each for each in map(decoded, map(changes.new_map, maps(INET)))}
    found = sets[name]
    assert (found["NFTA_SET_KEY_TYPE"], found["NFTA_SET_KEY_LEN"]) == key
    assert (found["NFTA_SET_DATA_TYPE"], found["NFTA_SET_DATA_LEN"]) == data


def test_elements() -> None:
    """P-26: exclusively; the owner is the comment; one message a map."""
    ports, hairpins = client.create_elements(
        [PORT, HAIRPIN, replace(PORT, key=PORT.key[:4] + b"\x1f\x91\0\0", owner="")]
    )
    assert (ports.type, ports.flags) == (NFT_MSG_NEWSETELEM, CREATE | EXCL)
    assert decoded(ports) == {
        "nfgen_family": 1,
        "NFTA_SET_ELEM_LIST_TABLE": "cniwire",
        "NFTA_SET_ELEM_LIST_SET": "hostports4",
        "NFTA_SET_ELEM_LIST_ELEMENTS": [
            {
                "NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": b"\6\0\0\0\x1f\x90\0\0"},
                "NFTA_SET_ELEM_DATA": {"NFTA_DATA_VALUE": b"\x0a\1\0\2\0\x50\0\0"},
                "NFTA_SET_ELEM_USERDATA": [["NFTNL_UDATA_SET_ELEM_COMMENT", OWNER.encode()]],
            },
            {
                "NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": b"\6\0\0\0\x1f\x91\0\0"},
                "NFTA_SET_ELEM_DATA": {"NFTA_DATA_VALUE": b"\x0a\1\0\2\0\x50\0\0"},
            },
        ],
    }
    verdict = {"NFTA_VERDICT_CODE": "NFT_JUMP", "NFTA_VERDICT_CHAIN": "hairpin6-64"}
    assert decoded(hairpins)["NFTA_SET_ELEM_LIST_ELEMENTS"][0]["NFTA_SET_ELEM_DATA"] == {
        "NFTA_DATA_VERDICT": verdict
    }


def test_deletions() -> None:
    """Elements by their key alone; a chain by its name."""
    (message,) = client.delete_elements([PORT])
    assert (message.type, message.flags) == (NFT_MSG_DELSETELEM, 0)
    assert decoded(message)["NFTA_SET_ELEM_LIST_ELEMENTS"] == [
        {"NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": PORT.key}}
    ]
    gone = changes.delete_chain(INET, "outside4-24")
    assert (gone.type, decoded(gone)) == (
        NFT_MSG_DELCHAIN,
        {"nfgen_family": 1, "NFTA_CHAIN_TABLE": "cniwire", "NFTA_CHAIN_NAME": "outside4-24"},
    )


LONGEST = owner_text("n" * 80, "c" * 80, "i" * 15) + " " + "w" * 15


@pytest.mark.parametrize("count", [1, 200, 201, 1000])
def test_the_longest_elements_fit_their_attribute(count: int) -> None:
    """The length of a list is a 16-bit number, so many elements are many messages."""
    items = [
        ports.port_element(Mapping("tcp", parse("2001:db8::1"), 1 + each, parse("fd01::2"), 80), LONGEST)
        for each in range(count)
    ]
    messages = client.create_elements(items)
    assert len(messages) == -(-count // 200)
    assert sum(len(decoded(message)["NFTA_SET_ELEM_LIST_ELEMENTS"]) for message in messages) == count
    read_again = [item for each in messages for item in decode.decoded(INET, items[0].map, each.payload)]
    understand(read_again)
    assert read_again == [replace(item, text="") for item in items]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
items = st.builds(
    lambda key, data, chain, owner: Element(INET, "m", key, b"" if chain else data, chain, owner, ""),
    st.binary(min_size=1, max_size=24),
    st.binary(min_size=1, max_size=20),
    st.sampled_from(["", "hairpin-any", "outside4-24"]),
    texts,
)


@given(st.lists(items, max_size=20))
def test_elements_that_we_write_we_read_again(wanted: list[Element]) -> None:
    """Comments in any language."""
    messages = client.create_elements(wanted)
    assert [item for message in messages for item in decode.decoded(INET, "m", message.payload)] == wanted


def test_only_elements_that_contain_the_owner_are_decoded() -> None:
    (message,) = client.create_elements([PORT, replace(PORT, key=b"\1" * 8, owner="net/c2/eth0")])
    assert [item.owner for item in decode.decoded(INET, "hostports4", message.payload, b"net/c2/eth0")] == [
        "net/c2/eth0"
    ]


@given(st.binary(max_size=300))
def test_whatever_bytes_come_decoding_elements_ends(payload: bytes) -> None:
    """Never an exception: a torn list is a short one."""
    for item in decode.decoded(INET, "m", payload):
        assert isinstance(item.owner, str)
    comment_text(payload)


@given(st.data())
def test_a_message_with_one_byte_changed_is_decoded_to_something(data: st.DataObject) -> None:
    (message,) = client.create_elements([PORT, replace(PORT, key=b"\1" * 8)])
    changed = bytearray(message.payload)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert all(isinstance(item, Element) for item in decode.decoded(INET, "m", bytes(changed)))


# -- the socket ---------------------------------------------------------------------------------------------------------


class Wire:
    """A socket that keeps what is sent and answers with datagrams that a test made of it."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.sent, self.queue = answer, b"", []  # type: ignore[var-annotated]

    def send(self, data: bytes) -> None:
        self.sent += data
        self.queue = [*self.queue, *self.answer(data)]

    def recv(self, size: int) -> bytes:
        if not self.queue:
            raise BlockingIOError(11, "nothing more comes")
        datagram: bytes = self.queue.pop(0)
        return datagram

    def setsockopt(self, *_: object) -> None:
        return

    def close(self) -> None:
        return


def on(wire: Wire) -> Firewall:
    """A Firewall on that socket; none of the kernel's is opened."""
    firewall = Firewall.__new__(Firewall)
    firewall.standing, firewall.marks = {}, {}
    firewall.socket = socket.Socket.__new__(socket.Socket)
    firewall.socket.socket, firewall.socket.sequence = wire, 0  # type: ignore[assignment]
    return firewall


def datagram(*messages: tuple[int, int, int, bytes]) -> bytes:
    """Messages given as (type, flags, sequence, payload)."""
    return b"".join(
        pack("=IHHII", len(body) + 16, kind, flags, sequence, 0) + body + bytes(-len(body) % 4)
        for kind, flags, sequence, body in messages
    )


def acknowledgement(sequence: int, number: int = 0, said: str = "") -> tuple[int, int, int, bytes]:
    tail = attribute(1, said.encode() + b"\0") if said else b""
    return (2, 0x200 | 0x100 if said else 0x100, sequence, pack("=i", -number) + bytes(16) + tail)


def sequences(data: bytes) -> list[tuple[int, int, int]]:
    """(type, flags, sequence) of what was sent."""
    found, offset = [], 0
    while offset < len(data):
        size, kind, flags, sequence = (
            int.from_bytes(data[offset + at : offset + at + width], "little")
            for at, width in ((0, 4), (4, 2), (6, 2), (8, 4))
        )
        found.append((kind, flags, sequence))
        offset += size + (-size % 4)
    return found


def test_a_batch_is_one_datagram_and_asks_for_one_answer() -> None:
    """Only its last message asks for an acknowledgement; begin and end enclose it."""
    wire = Wire(lambda _: [datagram(acknowledgement(3))])
    on(wire).commit([Message(NFT_MSG_NEWCHAIN, CREATE, b""), Message(NFT_MSG_NEWRULE, CREATE, b"")])
    assert sequences(wire.sent) == [
        (0x10, 1, 1),
        (NFT_MSG_NEWCHAIN, 1 | CREATE, 2),
        (NFT_MSG_NEWRULE, 1 | CREATE | ACK, 3),
        (0x11, 1, 4),
    ]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([datagram(acknowledgement(2, 17), acknowledgement(3))], FileExistsError),
        (
            [datagram(acknowledgement(2, 17)), datagram(acknowledgement(3, 2))],
            FileExistsError,
        ),  # the first is told
        ([datagram(acknowledgement(3, 2))], FileNotFoundError),
        ([datagram(acknowledgement(1, 1))], PermissionError),  # refused as a whole
        (
            [datagram(acknowledgement(0, 5)), datagram(acknowledgement(3, 16))],
            OSError,
        ),  # of another batch, then ours
    ],
)
def test_a_refused_batch_raises_the_first_error(answers: list[bytes], error: type[OSError]) -> None:
    with pytest.raises(error):
        on(Wire(lambda _: answers)).commit(
            [Message(NFT_MSG_NEWCHAIN, CREATE, b""), Message(NFT_MSG_NEWRULE, CREATE, b"")]
        )


def test_the_kernels_own_words_stand_in_the_error() -> None:
    with pytest.raises(OSError, match=r"Invalid argument \(no such map\)"):
        on(Wire(lambda _: [datagram(acknowledgement(2, 22, "no such map"))])).commit(
            [Message(NFT_MSG_NEWRULE, CREATE, b"")]
        )


def test_a_dump_that_was_interrupted_is_asked_again() -> None:
    """Up to ten times, then "try again"."""
    answers = [datagram((NFT_MSG_NEWSETELEM, 0x10 | 2, 1, b"old")), datagram((3, 2, 1, bytes(4)))]
    again = [datagram((NFT_MSG_NEWSETELEM, 2, 2, b"new")), datagram((3, 2, 2, bytes(4)))]
    firewall = on(Wire(lambda data: answers if sequences(data)[0][2] == 1 else again))
    assert firewall.socket.ask(Message(values.NFT_MSG_GETSETELEM, DUMP, b"")) == [
        (NFT_MSG_NEWSETELEM, b"new")
    ]
    always = on(Wire(lambda data: [datagram((3, 0x10 | 2, sequences(data)[0][2], bytes(4)))]))
    with pytest.raises(InterruptedError):
        always.socket.ask(Message(values.NFT_MSG_GETSETELEM, DUMP, b""))


def test_every_request_gets_its_own_answers_in_whatever_order_they_come() -> None:
    answers = [
        datagram((24, 2, 2, b"b"), acknowledgement(2), (16, 0, 9, b"not asked for")),
        datagram((16, 0, 1, b"a"), acknowledgement(1, 19)),
    ]
    ((first, refused), (second, fine)) = on(Wire(lambda _: answers)).socket.exchange(
        (Message(18, 0, b""), Message(26, 0, b""))
    )
    assert (first, second, fine) == ([(16, b"a")], [(24, b"b")], None)
    assert refused is not None
    assert refused.errno == 19


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_whatever_the_socket_says_nothing_but_os_error_is_raised(datagrams: list[bytes]) -> None:
    """And it ends: here when nothing more comes."""
    for work in (
        lambda: on(Wire(lambda _: datagrams)).socket.ask(Message(18, 0, b"")),
        lambda: on(Wire(lambda _: datagrams)).commit([Message(NFT_MSG_NEWRULE, 0, b"")]),
        lambda: on(Wire(lambda _: datagrams)).find(PORT),
    ):
        with pytest.raises(OSError, match=r".*"):
            work()


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 0xFFFF), st.integers(0, 4), st.binary(max_size=60)),
        max_size=6,
    )
)
def test_well_framed_rubbish_raises_nothing_but_os_error(messages: list[tuple[int, int, int, bytes]]) -> None:
    for work in (
        lambda: on(Wire(lambda _: [datagram(*messages)])).socket.ask(Message(18, 0, b"")),
        lambda: on(Wire(lambda _: [datagram(*messages)])).commit([Message(NFT_MSG_NEWRULE, 0, b"")]),
        lambda: on(Wire(lambda _: [datagram(*messages)])).list(INET, "m"),
        lambda: on(Wire(lambda _: [datagram(*messages)])).maps(INET, ("m",)),
    ):
        try:
            work()
        except OSError:
            continue


def test_nests_are_marked_and_strings_end_in_nul() -> None:
    assert nest(1, string(2, "ab")) == b"\x0c\0\1\x80\7\0\2\0ab\0\0"


def test_the_news_of_an_interrupted_list_that_nobody_waits_for_repeats_no_request() -> None:
    """A message of an earlier list, left in the socket, says NLM_F_DUMP_INTR; the request behind it has gone out, and goes out once."""
    sent: list[list[tuple[int, int, int]]] = []

    def answer(data: bytes) -> list[bytes]:
        sent.append(sequences(data))
        return [datagram((16, 0x10, 1, b"")), datagram(acknowledgement(sent[-1][-1][2]))]

    wire = Wire(answer)
    firewall = on(wire)
    firewall.socket.sequence = 7
    firewall.socket.do(Message(16, 0, b""))
    assert len(sent) == 1
