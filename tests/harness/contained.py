"""Become a command with another root and few capabilities, as a container's runtime has it.

    python contained.py ROOT CAPABILITY,... COMMAND ...

It is executed as a file, by an interpreter that the new root need not have.
"""

import ctypes
import os
import sys

PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 23, 24, 38  # linux/prctl.h
NUMBERS = {"NET_ADMIN": 12, "NET_RAW": 13, "SYS_ADMIN": 21}  # linux/capability.h
libc = ctypes.CDLL(None, use_errno=True)


def main(root: str, held: str, *command: str) -> None:
    """Never returns. Root gets at execve what the bounding set has, no more."""
    os.chroot(root)
    os.chdir("/")
    kept = {NUMBERS[name] for name in held.split(",") if name}
    number = 0
    while libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        if number not in kept and libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"cannot drop capability {number}")
        number += 1
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot set no_new_privs")
    places = [f"{folder}/{command[0]}" for folder in os.environ["PATH"].split(":")]  # imports end at chroot
    found = [place for place in places if os.access(place, os.X_OK)]
    os.execv(command[0] if "/" in command[0] else found[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
