"""Which addresses firewalld has in a zone because an attachment asked for it, as elements of our nft sets.

A source in a zone carries no owner, and firewalld keeps no comment. So the owner is noted where our other
notes are, in the kernel: an element of `zoned4-32` or `zoned6-128` is the claim to one address. It is made
before firewalld is asked, and goes after firewalld has let go. Pure.
"""

from __future__ import annotations

from core.address import V4, family, text
from core.intent import Zoned
from core.nft.names import DASH, INET, Chain, Element, Map


def chain(address: bytes) -> Chain:
    """What keeps the set while it has elements. No rule leads there: no packet needs to know."""
    from core.nft import expression  # late: DEL and GC need no chain
    from core.nft.values import NFT_RETURN

    of, behind = family(address), _behind(address)
    known = Map(INET, f"zoned{behind}", ("ipv4_addr" if of is V4 else "ipv6_addr",))
    match = expression.of_family(of) + expression.address_field(of, source=True)
    match += expression.lookup(known.name) + expression.decide(NFT_RETURN)
    rule = expression.Rule(f"{of.word} saddr @{known.name} return", match)
    return Chain(INET, f"zones{behind}", (rule,), maps=(known,))


def element(address: bytes, owner: str) -> Element:
    """The claim of *owner* to have *address* in a zone."""
    return Element(INET, f"zoned{_behind(address)}", address, b"", "", owner, text(address), Zoned(address))


def _behind(address: bytes) -> str:
    """The end of the names for an address: family, and length of the sources that firewalld gets."""
    return f"{family(address).tag}{DASH}{8 * len(address)}"
