"""What the containers of tests.harness.cluster are made with: namespaces, mounts, environment."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IN_SYSTEM = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
IN_IMAGE = {"PATH": "/usr/bin"}  # as the image says
# What a container of no image has of the machine, besides the checkout.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# The host's network, but a container's own processes: the command is process 1.
NAMESPACES = ("--mount", "--propagation=private", "--pid", "--fork", "--kill-child")
# Without root the flags that a mount has already have to be named, too.
READ_ONLY = "for flags in ro ro,nosuid,nodev; do mount -o remount,bind,$flags {0} 2>&- && break; done"


def of_the_machine(plugins: Path) -> list[str]:
    """Lines of shell: what a container of no image has at $root, programs and libraries and the checkout."""
    lines = []
    for path in SYSTEM:
        if os.path.islink(path):
            lines.append(f"ln -s {os.readlink(path)} $root{path}")
        elif os.path.isdir(path):
            lines.append(f"mkdir $root{path}; mount --rbind {path} $root{path}")
    own = {str(ROOT), sys.prefix, sys.base_prefix, str(plugins)}
    further = [path for path in sorted(own) if f"/{path.split('/')[1]}" not in SYSTEM]
    return lines + [f"mkdir -p $root{path}; mount --rbind {path} $root{path}" for path in further]
