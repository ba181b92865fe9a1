"""The packet filter's rules as the kernel has them: expressions of its virtual machine.

They are dumped by a socket of this module's own and decoded by pyroute2.
"""

import re
import socket
import struct
from typing import Any

from pyroute2.netlink.nfnetlink.nftsocket import nft_rule_msg

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter.h
NETLINK_NETFILTER, NLM_F_REQUEST, NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE = 12, 1, 0x300, 2, 3
NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE = 10, 7
NFPROTO_INET, NFPROTO_IPV4, NFPROTO_BRIDGE, NFPROTO_IPV6 = 1, 2, 7, 10
FAMILIES = {"inet": NFPROTO_INET, "ip": NFPROTO_IPV4, "bridge": NFPROTO_BRIDGE, "ip6": NFPROTO_IPV6}
REGISTER = re.compile(r"NFT_REG(32)?_0?(\d+)")


def expressions(family: str, table: str) -> dict[str, list[Any]]:
    """Chain -> its rules, each a list of expressions. Raises OSError."""
    found: dict[str, list[Any]] = {}
    for message in dumped(FAMILIES[family]):
        rule = nft_rule_msg(message)
        rule.decode()
        if rule.get_attr("NFTA_RULE_TABLE") == table:
            body = [plain(expression) for expression in rule.get_attr("NFTA_RULE_EXPRESSIONS")]
            found.setdefault(rule.get_attr("NFTA_RULE_CHAIN"), []).append(body)
    return found


def dumped(family: int) -> list[bytes]:
    """Every message of a dump of rules."""
    found: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as handle:
        handle.bind((0, 0))
        kind, flags = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_REQUEST | NLM_F_DUMP
        handle.send(struct.pack("=IHHIIBBH", 20, kind, flags, 1, 0, family, 0, 0))
        while True:
            data = handle.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], "dump of rules")
                if kind == NLMSG_DONE:
                    return found
                found.append(data[:length])
                data = data[(length + 3) & ~3 :]


def plain(value: Any) -> Any:
    """What pyroute2 decoded, as tuples.

    Registers count in bytes: 32_00 to 32_03, of 4 bytes each, lie in register 1, which has 16, and so on.
    """
    if hasattr(value, "get") and value.get("attrs") is not None:
        return tuple((key, plain(each)) for key, each in value["attrs"])
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    register = isinstance(value, str) and REGISTER.fullmatch(value)
    if register:
        return "register", int(register[2]) * 4 if register[1] else int(register[2]) * 16 - 16
    return value
