"""Our rules and elements on the real kernel, as nft prints them; and what nft makes of the same words."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.address import V4, V6, parse, parse_cidr
from core.attachment import hashed
from core.intent import ISOLATED, SAME_BRIDGE, Ingress
from core.kernel.kernel import Kernel
from core.nft import admission, backend, ports
from core.nft.conditions import compile_words
from core.nft.names import BRIDGE, INET, MARK, PROTOCOLS, TABLES, Chain, Map
from core.nft.rules import conditional, members, rules_of
from core.nft.standing import standing
from core.publication import Mapping
from tests.harness import nft_tables
from tests.harness.conditions import CONDITIONS4, CONDITIONS6
from tests.harness.expressions import expressions
from tests.harness.host import Host

OWNER = "net/c1/eth0"
PORT = "veth0123456789a"
NETWORKS = (
    *("10.1.0.0/24", "10.1.2.0/23", "10.128.0.0/9", "192.0.2.1/32", "0.0.0.0/0", "128.0.0.0/1"),
    *("fd01::/64", "fd01::1/128", "2001:db8:1:2::/63", "::/0", "fe80::/10"),
)


def chains() -> Iterator[Chain]:
    """Every kind of chain there is."""
    for family in TABLES:
        yield from nft_tables.chains(family)
    for network in NETWORKS:
        yield backend.outside(parse_cidr(network))
        yield ports.hairpin(parse_cidr(network))
    yield ports.hairpin_any()
    yield from (*admission.admission(), Chain(INET, admission.STRANGERS), admission.fences())
    yield from (admission.fence(policy, "br-0.1_x") for policy in (SAME_BRIDGE, ISOLATED))
    yield admission.bridged()
    for words in CONDITIONS4:
        yield conditional(V4, compile_words([words]), hashed(8, "", f"4 {words}"), 1)
    for words in CONDITIONS6:
        yield conditional(V6, compile_words(words.split()), hashed(8, "", f"6 {words}"), 1)


CHAINS = tuple(chains())
ELEMENTS = (
    *[
        element
        for each in ("10.1.0.5/23", "fd01::5/64")
        for element in backend.masquerade_elements(parse_cidr(each), OWNER)
    ],
    *[
        element
        for each in ("10.1.0.5/32", "fd01::5/128")
        for element in ports.hairpin_elements(parse_cidr(each), OWNER)
    ],
    ports.hairpin_any_element(parse("10.1.0.6"), OWNER),
    *backend.spoof_elements(PORT, bytes.fromhex("02abcdef0001"), OWNER),
    *[ports.port_element(Mapping(name, b"", 8080, parse("10.1.0.5"), 80), OWNER) for name in PROTOCOLS],
    *[ports.port_element(Mapping(name, b"", 8081, parse("fd01::5"), 65535), OWNER) for name in PROTOCOLS],
    ports.port_element(Mapping("tcp", parse("127.0.0.1"), 1, parse("10.1.0.5"), 1), f"{OWNER} veth1"),
    ports.port_element(Mapping("udp", parse("2001:db8::1"), 65535, parse("fd01::5"), 9), OWNER),
    *[admission.admitted_element(parse(each), OWNER) for each in ("10.1.0.5", "fd01::5")],
    admission.fenced_element(parse("10.1.0.5"), Ingress(ISOLATED, "br-0.1_x"), OWNER),
    admission.alone_element(PORT, OWNER),
)


@pytest.fixture
def listed(host: Host) -> Host:
    """A host with every chain and element of ours in its kernel."""
    with Kernel("") as kernel:
        for table in TABLES.values():
            kernel.create(*members(table))
        known = [chain.name for family in TABLES for chain in nft_tables.chains(family)]
        made = {chain.name: chain for chain in CHAINS if chain.name not in known}
        for chain in made.values():
            kernel.create(chain)
        kernel.create(*ELEMENTS)
    return host


def rules(host: Host, family: str, chain: str, table: str = "cniwire") -> list[str]:
    """The rules of a chain as nft prints them."""
    lines = host.run(f"nft list chain {family} {table} '{chain}'").splitlines()
    return [
        line.strip()
        for line in lines
        if line.startswith("\t\t") and not line.strip().startswith(("type ", "comment "))
    ]


def in_context(text: str) -> str:
    """A rule's text as nft prints it: it names a port after the protocol that the rule has just compared."""
    protocol = re.search(r"\b(tcp|udp|sctp) [sd]port", text)
    return text.replace(" th dport map", f" {protocol[1]} dport map") if protocol else text


def texts(chain: Chain) -> list[str]:
    """What nft has to print: the chain's own rules, and behind them those that other chains add to it."""
    added = {
        f'{each.entries[0][1].text} comment "{MARK} {each.name}"': None
        for each in CHAINS
        for where, _ in each.entries
        if where == chain.name
    }
    return [f'{in_context(rule.text)} comment "{MARK}"' for rule in rules_of(chain)] + list(added)


def test_every_rule_is_printed_as_its_text_says(listed: Host) -> None:
    """U-4 B-45 P-12 P-26 P-27: what the kernel has is what stands above the expressions."""
    found = {(chain.table, chain.name): rules(listed, chain.table, chain.name) for chain in CHAINS}
    expected = {(chain.table, chain.name): texts(chain) for chain in CHAINS}
    assert found == expected


@pytest.mark.usefixtures("listed")
def test_the_kernel_tells_our_rules_in_the_very_bytes_in_which_we_gave_them() -> None:
    """So a CHECK that finds no difference compares digests (DECISIONS 67); only conditions need rules."""
    with Kernel("") as kernel:
        for chain in CHAINS:
            assert [
                rule.expressions for rule in standing(kernel.netfilter, chain.table).rules.get(chain.name, [])
            ][: chain.size] == [rule.expressions for rule in rules_of(chain)]
            assert kernel.is_as_made(chain) == bool(chain.kind)
        assert all(kernel.is_as_made(table) for table in TABLES.values())


def test_nft_makes_of_the_same_words_the_same_rules(listed: Host) -> None:
    """The text of every rule, loaded by the nft program into a table of its own, is listed as ours is."""
    for family in TABLES:
        ours = [chain for chain in CHAINS if chain.table == family]
        maps = {
            item.name: item
            for item in (*nft_tables.maps(family), *[each for chain in ours for each in chain.maps])
        }
        script = [f"table {family} oracle {{", *map(declaration, maps.values())]
        script += [f"chain {chain.name} {{ }}" for chain in {each.name: each for each in ours}.values()]
        script += ["}"]
        script += [
            f"add rule {family} oracle {name} {text}"
            for name, body in {chain.name: texts(chain) for chain in ours}.items()
            for text in body
        ]
        listed.run("nft -f -", stdin="\n".join(script))
        for chain in ours:
            assert rules(listed, family, chain.name, "oracle") == rules(listed, family, chain.name)


def declaration(item: Map) -> str:
    """A map or set in nft's words."""
    key, data = " . ".join(item.key), " . ".join(item.data)
    return f"map {item.name} {{ type {key} : {data}; }}" if data else f"set {item.name} {{ type {key}; }}"


@pytest.mark.parametrize("family", TABLES)
def test_the_skeleton_is_what_nft_itself_compiles(listed: Host, family: str) -> None:
    """The expressions of the tables' own rules, register by register, and not only their text."""
    script = [f"table {family} oracle {{", *map(declaration, nft_tables.maps(family))]
    script += [
        f"chain {chain.name} {{ {'; '.join(rule.text for rule in rules_of(chain))}; }}"
        for chain in nft_tables.chains(family)
    ]
    script += ["}"]
    listed.run("nft -f -", stdin="\n".join(script))
    theirs, ours = expressions(family, "oracle"), expressions(family, "cniwire")
    for chain in nft_tables.chains(family):
        if rules_of(chain):
            assert ours[chain.name][: len(rules_of(chain))] == theirs[chain.name]


def test_every_element_is_printed_as_its_text_says(listed: Host) -> None:
    """P-26: with its owner as comment."""
    text = listed.run("nft list ruleset")
    for element in ELEMENTS:
        key, _, data = element.text.partition(" : ")
        assert f'{key} comment "{element.owner}"' + (f" : {data}" if data else "") in text


def test_the_base_chains(listed: Host) -> None:
    """P-26 B-45: where packets enter, in nft's JSON."""
    found = {}
    for item in json.loads(listed.run("nft --json list chains"))["nftables"]:
        chain = item.get("chain", {})
        if chain.get("table") == "cniwire" and "hook" in chain:
            found[chain["family"], chain["name"]] = tuple(
                chain[key] for key in ("type", "hook", "prio", "policy")
            )
    assert found == {
        (INET, "loopback"): ("filter", "prerouting", -300, "accept"),
        (INET, "prerouting"): ("nat", "prerouting", -100, "accept"),
        (INET, "output"): ("nat", "output", -100, "accept"),
        (INET, "postrouting"): ("nat", "postrouting", 100, "accept"),
        (BRIDGE, "prerouting"): ("filter", "prerouting", -300, "accept"),
        (BRIDGE, "input"): ("filter", "input", -300, "accept"),
        (INET, "admit"): ("filter", "forward", -350, "accept"),
        (INET, "fence"): ("filter", "forward", 0, "accept"),
        (INET, "unmark"): ("filter", "forward", 350, "accept"),
        (BRIDGE, "forward"): ("filter", "forward", -200, "accept"),
    }


def test_what_is_whose_stands_in_comments(listed: Host) -> None:
    """The tables say who made them, and for which rules."""
    text = listed.run("nft list ruleset")
    assert text.count(f'comment "cniwire {MARK}: CNI plugins"') == 2


def test_the_listing_is_loaded_by_nft_again(listed: Host) -> None:
    """A saved ruleset (nft list ruleset > file; nft -f file) is ours again, word by word."""
    before: Any = listed.run("nft list ruleset")
    listed.run("nft flush ruleset")
    listed.run("nft -f -", stdin=before)
    assert listed.run("nft list ruleset") == before
    with Kernel("") as kernel:
        found = [kernel.find(element) for element in ELEMENTS]
        assert found == list(ELEMENTS)
        shared = [
            *members(TABLES[INET]),
            *members(TABLES[BRIDGE]),
            *[chain for chain in CHAINS if not chain.entries],
        ]
        assert [kernel.find(each) for each in shared] == shared
