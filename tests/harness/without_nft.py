"""Executes a program as on a kernel that has no nftables: `without_nft.py PROGRAM`.

A seccomp filter (seccomp(2), linux/filter.h) answers whoever opens a netfilter
netlink socket with EPROTONOSUPPORT.
"""

import ctypes
import os
import platform
import struct
import sys
from errno import EPROTONOSUPPORT
from socket import AF_NETLINK

SYS_SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
NETLINK_NETFILTER = 12  # linux/netlink.h
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h
NUMBER, DOMAIN, PROTOCOL = 0, 16, 32  # offsets in struct seccomp_data
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
PROGRAM = [
    *((LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, 5, SYS_SOCKET)),
    *((LOAD, 0, 0, DOMAIN), (JUMP_IF_EQUAL, 0, 3, AF_NETLINK)),
    *((LOAD, 0, 0, PROTOCOL), (JUMP_IF_EQUAL, 0, 1, NETLINK_NETFILTER)),
    *((RETURN, 0, 0, SECCOMP_RET_ERRNO | EPROTONOSUPPORT), (RETURN, 0, 0, SECCOMP_RET_ALLOW)),
]


class Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    rules = Filter(len(PROGRAM), b"".join(struct.pack("=HBBI", *each) for each in PROGRAM))
    for words in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(rules), 0, 0),
    ):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "prctl")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
