"""Conditions in nft's words, held against what the nft program makes of the very same words."""

import pytest

from core.address import V4, V6, Family
from core.attachment import hashed
from core.kernel.kernel import Kernel
from core.netlink.message import attribute_list
from core.nft.conditions import Choice, compile_words
from core.nft.expression import Rule
from core.nft.names import INET, TABLES
from core.nft.rules import conditional, members
from tests.harness.conditions import CONDITIONS4, CONDITIONS6, PLAIN4, PLAIN6
from tests.harness.configs import mapping
from tests.harness.expressions import expressions
from tests.harness.host import Host
from tests.harness.traffic import Server
from tests.kernel.published import published, unreachable


def meaning(rule: Rule) -> list[list[bytes]]:
    """The expressions of each alternative; nft has an order of its own for the values of a set."""
    ways = rule.alternatives if isinstance(rule, Choice) else (rule,)
    return sorted([sorted([each for _, each in attribute_list(way.expressions)]) for way in ways])


def listed(host: Host, words: tuple[str, ...]) -> list[str]:
    """Each of *words*, loaded by nft into a chain of its own, as nft lists it."""
    chains = "\n".join([f"chain c{number} {{ {each}; }}" for number, each in enumerate(words)])
    host.run("nft -f -", stdin=f"table inet oracle {{\n{chains}\n}}")
    lines = host.run("nft list table inet oracle").splitlines()
    return [line.strip() for line in lines if line.startswith("\t\t")]


@pytest.mark.parametrize("words", [CONDITIONS4, CONDITIONS6], ids=["v4", "v6"])
def test_what_nft_prints_of_the_words_means_to_us_what_they_meant(host: Host, words: tuple[str, ...]) -> None:
    """P-7: nft has read them its own way, and prints that; and what we print we read the same way again."""
    for written, printed in zip(words, listed(host, words), strict=True):
        ours = compile_words([written])
        assert meaning(compile_words([printed])) == meaning(ours), (written, printed)
        assert compile_words([ours.text]) == ours


@pytest.mark.parametrize(("family", "words"), [(V4, PLAIN4), (V6, PLAIN6)], ids=["v4", "v6"])
def test_nft_makes_the_same_expressions_of_the_same_words(
    host: Host, family: Family, words: tuple[str, ...]
) -> None:
    """P-7: register by register, decoded by pyroute2."""
    listed(host, words)
    chains = [
        conditional(family, compile_words([each]), hashed(8, "", f"{family.tag} {each}"), 1) for each in words
    ]
    with Kernel("") as kernel:
        kernel.create(*members(TABLES[INET]), *chains)
    theirs, ours = expressions(INET, "oracle"), expressions(INET, "cniwire")
    for number, (written, chain) in enumerate(zip(words, chains)):
        (rule,) = theirs[f"c{number}"]
        assert ours[chain.name][0][: len(rule)] == rule, written


# Condition -> who reaches the port: the machine outside, whose packets are marked on their way in; the host.
REACHED = {
    "iif uplink": "outside",
    "iif { uplink, eth9 }": "outside",
    "iifname { lo, up* }": "outside",
    "iif != uplink": "host",
    "iifname != { uplink, lo }": "host",
    "ct state new": "outside host",
    "ct state { new, related }": "outside host",
    "ct state established": "",
    "ct state != new": "",
    "fib saddr type unicast": "outside",
    "fib saddr type local": "host",
    "fib saddr type != { local, broadcast }": "outside",
    "tcp dport != 22": "outside host",
    "tcp dport >= 8080 tcp sport > 1023": "outside host",
    "tcp dport < 8080": "",
    "tcp dport { 22, 8000-8100 }": "outside host",
    "tcp dport != 8000-8100": "",
    "mark 0x1210": "outside",
    "mark & 0xff == 0x10": "outside",
    "mark & 0xff != 0x10": "host",
    "mark { 5, 0x1200-0x12ff }": "outside",
    "mark > 0x1210": "",
    "mark <= 0x1210": "outside host",
    "ct mark 5-9": "outside",
    "ct mark != 5-9": "host",
    "ct mark & 4 == 4": "outside",
    "ip saddr > 192.0.2.1": "outside",
    "ct state new iif { uplink } fib saddr type unicast ct mark { 7, 8 } tcp dport != { 22, 23 }": "outside",
}


def test_who_meets_a_condition_gets_in(host: Host) -> None:
    """P-7: with real packets; CHECK finds what ADD made, and nothing of the condition outlives GC."""
    outside, container = host.outside(), host.container()
    host.run("nft -f -", stdin=MARKING)
    net = published(host)
    bridged = host.network(net.plugins[0]).add(container)
    reached = dict[str, str]()
    with Server(container, 80):
        for words in REACHED:
            config = {**net.derived(net.plugins[1], bridged), "conditionsV4": words.split()}
            config["runtimeConfig"] = {"portMappings": [mapping(8080)]}
            for command in ("ADD", "CHECK"):
                net.call(command, config, container, "eth0")
            spaces = {"outside": outside, "host": host}
            found = [name for name, space in spaces.items() if not unreachable(space, "192.0.2.1", 8080)]
            reached[words] = " ".join(found)
            net.call("DEL", config, container, "eth0")
    assert reached == REACHED
    net.gc()
    assert "hostports-" not in host.run("nft list ruleset")


MARKING = """
table ip marking {
    chain prerouting {
        type filter hook prerouting priority mangle
        iifname "uplink" meta mark set 0x1210 ct mark set 7
    }
}
"""
