"""Conditions of portmap in nft's words: one of every form that is understood."""

# Each compiles to the expressions that nft makes of it.
PLAIN4 = (
    *("ip saddr 10.0.0.0/8", "ip saddr 10.0.0.5/24", "ip saddr != 10.1.2.3", "ip daddr == 10.1.2.0/23"),
    *("ip saddr 0.0.0.0/0", "ip saddr 192.0.2.1/32", "ip saddr > 10.0.0.1", "ip daddr <= 10.0.0.9"),
    *(
        "iifname eth0",
        'iifname != "eth0"',
        "meta iifname veth*",
        "iifname != br-*",
        "iifname fifteen-bytes-x",
    ),
    *("tcp dport 80", "udp dport != 53", "sctp dport 5", "th dport 80", "tcp dport !=22"),
    *("tcp dport > 1024", "tcp dport <= 1024", "udp sport lt 9", "th dport ge 80", "tcp sport eq 7"),
    *("meta mark 1", "mark 0x10", "mark != 4294967295", "meta mark == 0", "mark > 5", "mark <= 0x100"),
    *("mark & 0x4000 == 0x4000", "mark and 0xff != 1", "meta mark & 0xff00 >= 0x100"),
    *("ct mark 0x10", "ct mark != 1", "ct mark < 9", "ct mark & 0x10 == 0x10", "ct mark and 0xff00 > 0x1000"),
    *("ct state new", "ct state new,established", "ct state related, new", "ct state untracked"),
    *("ct state == new", "ct state != invalid", "ct state ne established"),
    *(
        "fib saddr type local",
        "fib saddr type != local",
        "fib daddr type unicast",
        "fib saddr type blackhole",
    ),
    *("ct state invalid", "ct state established", "fib saddr type broadcast", "fib saddr type unspec"),
    *("fib saddr type anycast", "fib daddr type multicast", "fib saddr type unreachable"),
    "fib saddr type prohibit",
    "meta mark 1 tcp dport 80 iifname eth0",
    "ct state new,related tcp dport != 22 fib saddr type unicast ct mark 0",
)
PLAIN6 = (
    *("ip6 saddr fd00::/8", "ip6 saddr != fd01::1", "ip6 saddr ::/0", "ip6 daddr 2001:DB8::1/64"),
    *("ip6 saddr >= fd01::1", "tcp dport 80 ip6 saddr fd00::/8", "udp dport 53", "iifname eth0"),
    *("ct state new ip6 saddr fd00::/8", "fib saddr type != multicast", "ct mark & 7 == 5"),
)
# For these nft has other expressions of the same meaning, but it prints them alike.
RANGES4 = (
    *("ip daddr 10.0.0.1-10.0.0.9", "ip saddr != 10.0.0.0-10.0.0.255", "ip saddr 10.0.0.1-10.0.0.1"),
    *("tcp sport 1024-65535", "th sport 7-7", "udp sport != 1-9", "mark 1-5", "ct mark != 1-5"),
    *("tcp sport 90 tcp dport 80", "ip saddr 10.1.0.0/16 ip daddr 10.2.0.0/16"),
    "iifname eth0 ip saddr != 10.1.2.0/23 tcp dport 8080-8089",
)
RANGES6 = ("ip6 daddr fd01::1-fd01::9", "ip6 saddr != fd01::1-fd01::9 tcp dport 80")
# For these nft makes a set; ours are a rule for each value, or a match for each behind !=.
SETS4 = (
    *(
        "ip saddr { 10.0.0.0/8, 192.0.2.0/24 }",
        "ip saddr != { 10.1.2.3, 10.0.0.5 }",
        "tcp dport { 80-90, 443 }",
    ),
    *("iifname { eth0, lo }", 'iifname { "lo", br-* }', "iifname != { lo, eth0 }", "iif { lo }", "iif != lo"),
    *("mark { 1, 7 }", "ct mark != { 1, 7 }", "ct mark & 0x30 == { 0x10, 0x20 }", "udp sport != {1,9}"),
    *("ct state { new, established }", "ct state != { related, invalid }", "ct state { new }"),
    *("fib saddr type { local, broadcast }", "fib daddr type != { unicast, multicast }"),
    "ct state { new, related } tcp dport { 80, 443 } iif lo",
)
SETS6 = ("ip6 saddr { fd01::/64, fd02::1 }", "ip6 daddr != { fd01::1, fd02::1 }")
CONDITIONS4 = PLAIN4 + RANGES4 + SETS4
CONDITIONS6 = PLAIN6 + RANGES6 + SETS6
