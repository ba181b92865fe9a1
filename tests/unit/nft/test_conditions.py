"""The match words of portmap's conditions: what is understood, how it is printed, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.nft.conditions import Choice, compile_words


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
        (["iif eth0"], 'iifname "eth0"'),
        (['meta iif != "eth0"'], 'iifname != "eth0"'),
        (["iif { eth0, eth1 }"], 'iifname { "eth0", "eth1" }'),
        (["iifname", "{ lo,", '"br-*" }'], 'iifname { "lo", "br-*" }'),
        (["iifname != {lo,eth0}"], 'iifname != { "lo", "eth0" }'),
        (["tcp dport !=22"], "tcp dport != 22"),
        (["tcp dport", ">1024"], "tcp dport > 1024"),
        (["tcp dport <= 1024 udp sport ge 9"], "tcp dport <= 1024 udp sport >= 9"),
        (["tcp dport lt 80 tcp sport gt 1"], "tcp dport < 80 tcp sport > 1"),
        (["tcp dport eq 80 tcp sport ne 81"], "tcp dport 80 tcp sport != 81"),
        (["tcp dport { 80-90, 443 }"], "tcp dport { 80-90, 443 }"),
        (["ip saddr >= 10.0.0.9"], "ip saddr >= 10.0.0.9"),
        (["ip6 daddr < FD00::1"], "ip6 daddr < fd00::1"),
        (["mark > 0x10"], "meta mark > 0x00000010"),
        (["mark != 1-5"], "meta mark != 0x00000001-0x00000005"),
        (["ct mark 16"], "ct mark 0x00000010"),
        (["ct mark != 1 ct mark <= 9"], "ct mark != 0x00000001 ct mark <= 0x00000009"),
        (["ct mark 1-5"], "ct mark 0x00000001-0x00000005"),
        (["mark & 0x4000 == 0x4000"], "meta mark & 0x00004000 == 0x00004000"),
        (["mark and 0xff 1"], "meta mark & 0x000000ff == 0x00000001"),
        (["ct mark & 0x30 != 0x10"], "ct mark & 0x00000030 != 0x00000010"),
        (["ct mark & 0xff00 > 0x100"], "ct mark & 0x0000ff00 > 0x00000100"),
        (["ct mark & 0x30 == { 0x10, 32 }"], "ct mark & 0x00000030 == { 0x00000010, 0x00000020 }"),
        (["ct state new"], "ct state new"),
        (["ct", "state", "new,", "established"], "ct state established,new"),
        (["ct state new , related ,new"], "ct state related,new"),
        (["ct state == new"], "ct state == new"),
        (["ct state != invalid"], "ct state != invalid"),
        (["ct state { new, related }"], "ct state == { new, related }"),
        (["ct state {new}"], "ct state new"),
        (["ct state != { invalid, untracked }"], "ct state != { invalid, untracked }"),
        (["fib saddr type local"], "fib saddr type local"),
        (["fib saddr type != { local, broadcast }"], "fib saddr type != { local, broadcast }"),
        (["fib daddr type {unicast,prohibit}"], "fib daddr type { unicast, prohibit }"),
        (
            ["ct state new tcp dport != 22 iif { eth0, eth1 } fib saddr type unicast"],
            'ct state new tcp dport != 22 iifname { "eth0", "eth1" } fib saddr type unicast',
        ),
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
        (["oif", "up0"], "iif, iifname, tcp|udp|sctp|th sport|dport"),
        (["iif 2"], "want the name of one interface behind iif, found '2'"),
        (["iif { eth0, eth* }"], "want the name of one interface behind iif, found 'eth*'"),
        (["iifname eth0,eth1"], "want braces around several values, { eth0,eth1 }, found 'eth0,eth1'"),
        (["tcp dport 80, 443"], "want braces around several values, { 80,443 }, found '80,443'"),
        (["iifname < eth0"], "want == or != behind iifname, found '<'"),
        (["tcp dport > 80-90"], "want a single value behind >, found '80-90'"),
        (["tcp dport > { 80, 90 }"], "want a single value behind >, found a set"),
        (["ip saddr > 10.0.0.0/8"], "want a single value behind >, found '10.0.0.0/8'"),
        (["ip saddr < 10.0.0.1-10.0.0.1"], "want a single value behind <"),
        (["tcp dport => 80"], "'=>'"),
        (["tcp dport !="], "want a value behind 'tcp dport !='"),
        (["tcp dport !22"], "'!22'"),
        (["tcp dport & 1 == 1"], "'&'"),
        (["mark & 0 == 0"], "want a mask with a bit in it behind meta mark &, found '0'"),
        (["mark &"], "want a number up to 4294967295, found ''"),
        (["mark & 0xf == 0x10"], "want a number within the mask 0x0000000f, found '0x10'"),
        (["mark & 0xf 1-2"], "want a number within the mask 0x0000000f, found '1-2'"),
        (["mark 0x10/0xff"], "'0x10/0xff'"),
        (["ct mark 5-1"], "want a range of marks, the smaller first, found '5-1'"),
        (["ct state"], "want a value behind 'ct state'"),
        (
            ["ct state fresh"],
            "want a state, one of invalid, established, related, new, untracked, found 'fresh'",
        ),
        (["ct state new,"], "found ''"),
        (["ct state 8"], "found '8'"),
        (["ct state != new,related"], "found 'new,related'"),
        (["ct state < new"], "want == or != behind ct state, found '<'"),
        (["ct direction original"], "ct mark, ct state or fib saddr|daddr type, found 'ct direction'"),
        (["fib saddr type here"], "want a type of address, one of unspec, unicast, local, broadcast"),
        (["fib saddr . iif type local"], "found 'fib saddr'"),
        (["fib daddr type local,broadcast"], "want braces"),
        (["mark 4294967296"], "4294967296"),
        (["mark 0x"], "0x"),
        (["mark +1"], "+1"),
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


tokens = st.sampled_from(
    [
        "ip",
        "ip6",
        "saddr",
        "daddr",
        *["iif", "iifname", "ct", "state", "new", "fib", "type", "local", "&", ">", "<=", "new,related"],
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
