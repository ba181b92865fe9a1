"""The iptables backend of the packet filter: what a plugin asks for, in the shapes of the reference suite.

Names, comments and rules are the reference's to the letter, so that either suite's DEL deletes what the other
one made, and whoever reads iptables-save finds what he knows:

    nat  POSTROUTING           -s ADDRESS -j CNI-<hash>                      masquerade
         CNI-<hash>            -d NETWORK -j ACCEPT; ! -d MULTICAST -j MASQUERADE
         PREROUTING, OUTPUT    -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
         CNI-HOSTPORT-DNAT     a rule for each protocol and 15 ports -j CNI-DN-<hash>
         CNI-DN-<hash>         marks for what has to come back through the host, and DNAT, for each port
         CNI-HOSTPORT-SETMARK  sets the mark; CNI-HOSTPORT-MASQ masquerades what has it

One rule is ours, as the reference sets route_localnet and lets whoever is on the bridge use it:

    raw  PREROUTING            ! -i lo -d 127.0.0.0/8 -j DROP

DEL and GC need none of it: core.kernel.go_rules deletes what has these shapes, whoever made it. Pure.
"""

from __future__ import annotations

from core import address
from core.address import V4
from core.iptables.records import Chain, ChainRule, SharedChain, SharedRule
from core.iptables.text import ADDRESSES, LONG, line
from core.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.attachment import Attachment
    from core.intent import Ingress
    from core.publication import Mapping, Publication

    Records = tuple[tuple[Any, ...], tuple[Any, ...]]

NAT = "nat"
DNAT, SETMARK, MASQ = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"
MULTICAST = {4: "224.0.0.0/4", 16: "ff00::/8"}
LOOPBACK_COMMENT = "CNI portfwd only lo has loopback addresses"
MARK_BIT = 13
MOST_PORTS = 15  # in one multiport match
LONGEST_COMMENT = 255
MOST_WAYS = 64


class Backend(Record):
    """How an attachment's rules are made.

    mark_bit: of the packet's mark, for what has to be masqueraded.
    mark_chain: somebody else's chain that sets a mark, and masquerades what has it; "" for ours.
    admin_chain: where an administrator overrules what is admitted.
    attachment: whose rules they are; core.plan.filter asks for it (of).
    """

    mark_bit: int = MARK_BIT
    mark_chain: str = ""
    attachment: Any = None
    admin_chain: str = "CNI-ADMIN"

    def of(self, attachment: Attachment) -> Backend:
        """This backend for an attachment, whose network and container are in names and comments."""
        return replace(self, attachment=attachment)

    def probe(self, kernel: Any) -> None:
        """Raise CNIError(NOT_AVAILABLE) where iptables cannot be used."""
        kernel.probe_iptables()

    def condition(self, given: list[str], _family: Family) -> tuple[tuple[tuple[str, ...], ...], str]:
        """What has to hold besides, in iptables' words, and a tag, which nobody needs. Raises ValueError.

        It is one list of words; or several, of which one has to hold: as the tool itself does, a rule with
        several networks becomes one for each. What the words mean is the tool's to know. But a line of
        iptables-restore is a command, so nothing may begin another one.
        """
        found: list[str] = []
        for each in given:
            if not each.isprintable():
                raise ValueError(f"want words that can be printed, found {each!r}")
            found += each.split() if each.startswith(("-", "!")) else [each]
        ways: list[tuple[str, ...]] = [()]
        for at, each in enumerate(found):
            several = at and LONG.get(found[at - 1], found[at - 1]) in ADDRESSES
            ways = [(*way, part) for way in ways for part in (each.split(",") if several else [each])]
            if len(ways) > MOST_WAYS:
                raise ValueError(f"want at most {MOST_WAYS} combinations of networks, found more")
        return tuple(ways), ""

    def masquerade(self, addresses: list[Cidr], _owner: str) -> Records:
        """What leaves the network of each address is masqueraded."""
        owned: list[Any] = []
        name, comment = self.attachment.chain("CNI-"), self._comment("")
        for family in dict.fromkeys([each.family for each in addresses]):
            mine = [each for each in addresses if each.family is family]
            near = [_rule("-d", address.network(each), *comment, "-j", "ACCEPT") for each in mine]
            leaving = line(["!", "-d", MULTICAST[family.size], *comment, "-j", "MASQUERADE"])
            owned.append(Chain(family.word, NAT, name, (*dict.fromkeys(near), leaving)))
            owned += [
                ChainRule(
                    family.word,
                    NAT,
                    "POSTROUTING",
                    _rule("-s", address.host_prefix(each.address), *comment, "-j", name),
                )
                for each in mine
            ]
        return (), tuple(owned)

    def publish(self, wanted: Publication, _owner: str) -> Records:
        """Ports of the host lead to ports of a container, from outside, from the host and from neighbours."""
        family, name = wanted.address.family, self.attachment.chain("CNI-DN-")
        rules = [rule for each in wanted.mappings for rule in self._mapping(wanted, each)]
        entries = [ChainRule(family.word, NAT, DNAT, rule) for rule in self._entries(wanted, name)]
        return self._shared(family.word, wanted.hairpin), (
            Chain(family.word, NAT, name, tuple(rules)),
            *entries,
        )

    def admit(self, addresses: list[bytes], ingress: Ingress, _owner: str) -> Records:
        """What a container sends and is answered is forwarded, but for whom *ingress* bars."""
        from core.iptables import admission  # late: firewall only

        return admission.admit(addresses, ingress, self.admin_chain)

    def _comment(self, before: str) -> tuple[str, ...]:
        whose = self.attachment
        text = f'{before}name: "{whose.network}" id: "{whose.container_id}"'
        return "-m", "comment", "--comment", text if len(text) <= LONGEST_COMMENT else f"{text[:253]}..."

    def _entries(self, wanted: Publication, name: str) -> list[str]:
        """What leads to the chain: every port that was asked for, those of the other family, too."""
        ports: dict[str, list[str]] = {}
        for each in wanted.asked:
            ports.setdefault(each.protocol, []).append(str(each.host_port))
        return [
            line(
                [
                    *self._comment("dnat "),
                    *("-m", "multiport", "-p", protocol, "--dports", ",".join(found[at : at + MOST_PORTS])),
                    *way,
                    *("-j", name),
                ]
            )
            for protocol, found in sorted(ports.items())
            for at in range(0, len(found), MOST_PORTS)
            for way in wanted.condition or ((),)
        ]

    def _mapping(self, wanted: Publication, mapping: Mapping) -> list[str]:
        """The rules of one port: what has to come back through the host is marked, then it is translated."""
        port = f"-p {mapping.protocol} --dport {mapping.host_port}"
        if mapping.host_address:
            port += f" -d {address.host_prefix(mapping.host_address)}"
        made: list[str] = []
        if wanted.hairpin:
            near = wanted.address.family.default if wanted.everybody else address.network(wanted.address)
            sources = [str(near)]
            if wanted.address.family is V4 and not wanted.everybody:
                sources.append("127.0.0.1/32")
            made += [f"{port} -s {each} -j {self.mark_chain or SETMARK}" for each in sources]
        host = address.text(mapping.target)
        to = f"[{host}]" if ":" in host else host
        return [*made, f"{port} -j DNAT --to-destination {to}:{mapping.port}"]

    def _shared(self, family: str, marks: bool) -> tuple[Any, ...]:
        """The chains that all published ports share, and what leads to them.

        Where 127.0.0.1 may reach a container, route_localnet is set, and nobody outside may come in by it.
        """
        here = "-m addrtype --dst-type LOCAL -j"
        made: list[Any] = [SharedChain(family, NAT, DNAT)]
        if marks and family == V4.word:
            why = line(["-m", "comment", "--comment", LOOPBACK_COMMENT])
            made.insert(
                0, SharedRule(family, "raw", "PREROUTING", f"! -i lo -d 127.0.0.0/8 {why} -j DROP", True)
            )
        if marks and not self.mark_chain:
            mark = f"0x{1 << self.mark_bit:x}"
            waiting = line(["-m", "comment", "--comment", "CNI portfwd requiring masquerade", "-j", MASQ])
            setting = line(["-m", "comment", "--comment", "CNI portfwd masquerade mark", "-j", "MARK"])
            made += [
                SharedChain(family, NAT, SETMARK),
                SharedChain(family, NAT, MASQ),
                SharedRule(family, NAT, SETMARK, f"{setting} --set-xmark {mark}/{mark}"),
                SharedRule(family, NAT, MASQ, f"-m mark --mark {mark}/{mark} -j MASQUERADE"),
                SharedRule(family, NAT, "POSTROUTING", waiting, first=True),
            ]
        return (
            *made,
            SharedRule(family, NAT, "PREROUTING", f"{here} {DNAT}"),
            SharedRule(family, NAT, "OUTPUT", f"{here} {DNAT}"),
        )


def _rule(name: str, value: Cidr, *rest: str) -> str:
    return line([name, str(value), *rest])
