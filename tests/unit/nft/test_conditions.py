"""The match words of portmap's conditions: what is understood, how it is printed, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import V4, V6, Family
from core.nft.conditions import Choice, compile_words, from_iptables


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ip", "saddr", "10.0.0.0/8"], "ip saddr 10.0.0.0/8"),
        (["ip saddr == 10.0.0.5/8"], "ip saddr 10.0.0.0/8"),
        (["ip saddr 10.0.0.5/32"], "ip saddr 10.0.0.5"),
        (["ip saddr != 10.0.0.1-10.0.0.9"], "ip saddr != 10.0.0.1-10.0.0.9"),
        (["ip6 daddr 2001:DB8:0:0::1"], "ip6 daddr 2001:db8::1"),
        (["iifname eth0"], 'iifname "eth0"'),
        (['meta  iifname   !=  "br-*"'], 'iifname != "br-*"'),
        (["mark 16"], "meta mark 0x00000010"),
        (["meta", "mark", "0xffffffff"], "meta mark 0xffffffff"),
        (["tcp dport 080"], "tcp dport 80"),
        (["tcp dport 80-80"], "tcp dport 80"),
        (["th sport != 1-65535"], "th sport != 1-65535"),
        (["ip saddr { 192.0.2.0/24, 10.0.0.0/8 }"], "ip saddr { 192.0.2.0/24, 10.0.0.0/8 }"),
        (["ip", "saddr", "{", "192.0.2.0/24,", "10.0.0.5/8", "}"], "ip saddr { 192.0.2.0/24, 10.0.0.0/8 }"),
        (["ip6 saddr != {fd01::/64,fd02::1}"], "ip6 saddr != { fd01::/64, fd02::1 }"),
        (["ip saddr {10.0.0.1}"], "ip saddr 10.0.0.1"),
        (["tcp dport { 80, 443, 080 } iifname eth0"], 'tcp dport { 80, 443 } iifname "eth0"'),
        (
            ["ip saddr 10.0.0.0/8 tcp dport", "80", "iifname eth0"],
            'ip saddr 10.0.0.0/8 tcp dport 80 iifname "eth0"',
        ),
    ],
)
def test_words_are_understood(words: list[str], text: str) -> None:
    """P-7: in one string or in many; the text is nft's own."""
    rule = compile_words(words)
    assert rule.text == text
    assert compile_words([text]) == rule


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "found nothing"),
        ([" "], "found nothing"),
        (["ip"], "ip"),
        (["ip saddr"], "want a value behind 'ip saddr'"),
        (["ip saddr !="], "want a value behind"),
        (["ip saddr 10.0.0.256"], "10.0.0.256"),
        (["ip saddr 10.0.0.0/33"], "10.0.0.0/33"),
        (["ip saddr fd01::1"], "want an IPv4 address, found 'fd01::1'"),
        (["ip6 saddr 10.0.0.1"], "want an IPv6 address, found '10.0.0.1'"),
        (["ip6 saddr ::ffff:10.0.0.1"], "want an IPv6 address"),
        (["ip saddr 10.0.0.9-10.0.0.1"], "the smaller first, found '10.0.0.9-10.0.0.1'"),
        (["ip saddr 10.0.0.1-fd01::1"], "10.0.0.1-fd01::1"),
        (["ip saddr 10.0.0.1-"], "''"),
        (["ip protocol tcp"], "ip protocol"),
        (["iifname"], "want a value behind 'iifname'"),
        (["iifname sixteen-bytes-xx"], "sixteen-bytes-xx"),
        (["iifname *"], "'*'"),
        (['iifname ""'], "want the name of an interface"),
        (["oifname eth0"], "oifname eth0"),
        (["tcp dport 65536"], "65536"),
        (["tcp dport -1"], "''"),
        (["tcp dport 90-80"], "the smaller first, found '90-80'"),
        (["tcp dport 1-2-3"], "'2-3'"),
        (["tcp dport http"], "http"),
        (["tcp dport ５"], "５"),
        (["tcp dport 1_0"], "1_0"),
        (["tcp flags syn"], "tcp flags"),
        (["tcp dport { 80, 443"], "want a closing }"),
        (["tcp dport { }"], "found ''"),
        (["ip saddr { 10.0.0.1,, 10.0.0.2 }"], "''"),
        (["ip saddr {10.0.0.1,", "fd01::1}"], "want an IPv4 address, found 'fd01::1'"),
        (["tcp dport { " + ", ".join(str(number) for number in range(1, 66)) + " }"], "at most 64"),
        (["iif up0"], "want iifname and the name of an interface, found 'iif up0'"),
        (["oif", "up0"], "want iifname"),
        (["mark 4294967296"], "4294967296"),
        (["mark 0x"], "0x"),
        (["mark +1"], "+1"),
        (["ct state new"], "ct state"),
        (["meta"], "meta"),
        (["accept"], "accept"),
        (["ip saddr 10.0.0.1; drop"], "10.0.0.1;"),
        (["== 5"], "=="),
    ],
)
def test_what_is_not_understood_is_named(words: list[str], complaint: str) -> None:
    """P-8 P-9: a ValueError with the word."""
    with pytest.raises(ValueError) as refused:
        compile_words(words)
    assert complaint in str(refused.value)


def test_a_set_is_one_way_for_each_value_and_a_negated_one_is_a_single_way() -> None:
    one, other = compile_words(["ip saddr 10.0.0.0/8"]), compile_words(["ip saddr 192.0.2.1"])
    both = compile_words(["ip saddr { 10.0.0.0/8, 192.0.2.1 }"])
    assert isinstance(both, Choice)
    assert both.alternatives == (one, other)
    neither = compile_words(["ip saddr != { 10.0.0.0/8, 192.0.2.1 }"])
    assert neither.expressions == b"".join(
        compile_words([f"ip saddr != {each}"]).expressions for each in ("10.0.0.0/8", "192.0.2.1")
    )


@pytest.mark.parametrize(
    ("words", "family", "text"),
    [
        (["-d", "192.0.2.1/32"], V4, "ip daddr 192.0.2.1"),
        (["!", "-d", "10.0.0.0/8"], V4, "ip daddr != 10.0.0.0/8"),
        (
            ["-s 10.0.0.0/8,192.0.2.0/24 ! -d 198.51.100.7"],
            V4,
            "ip saddr { 10.0.0.0/8, 192.0.2.0/24 } ip daddr != 198.51.100.7",
        ),
        (["--source", "fd01::/64"], V6, "ip6 saddr fd01::/64"),
    ],
)
def test_iptables_matches_on_addresses_are_translated(words: list[str], family: Family, text: str) -> None:
    assert compile_words(from_iptables(words, family)).text == text


@pytest.mark.parametrize(
    "words", ["-m set --match-set x src", "-s", "!", "! -d", "-s fd01::1", "-s 10/8", "-i eth0"]
)
def test_other_iptables_matches_are_not(words: str) -> None:
    with pytest.raises(ValueError, match=r"want|invalid"):
        from_iptables([words], V4)


tokens = st.sampled_from(
    [
        "ip",
        "ip6",
        "saddr",
        "daddr",
        "iifname",
        "meta",
        "mark",
        "tcp",
        "th",
        "dport",
        *"{,}",
        *["==", "!=", "80", "1-2", "10.0.0.1", "fd01::/8"],
    ]
)


@given(st.lists(st.one_of(tokens, st.text(max_size=12)), max_size=8))
def test_any_words_are_understood_or_a_value_error(words: list[str]) -> None:
    """And what is understood is printed so that it is understood again, to the same effect."""
    try:
        rule = compile_words(words)
    except ValueError:
        return
    assert compile_words([rule.text]) == rule
