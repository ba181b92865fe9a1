"""The Debian package: plugins in /usr/lib/cni, where Debian's container-networking tools look for them.

It takes the place of containernetworking-plugins, since both have /usr/lib/cni/bridge: Provides, Conflicts
and Replaces, as section 7.6.2 of Debian Policy has it for that. The description says which plugins of that
package it lacks. There are no maintainer scripts, and so nothing of it runs at installation.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from bundle.build import COMPLETION
from bundle.release.facts import DEBIAN, PURPOSE, Facts, run
from bundle.release.parts import packaged
from bundle.release.tarball import compressed
from bundle.release.tree import File, Tree, link, moved, text, write
from core.cni.main import REFERENCE
from launcher.installation.versions import LAUNCHER, PLUGINS, Refused

MAINTAINER = "cniwire maintainers <maintainers@cniwire.invalid>"
# Of whatever release of that package, Debian 12 has an old one.
LACKED = ("dhcp", "dummy", "host-device", "ipvlan", "macvlan", "ptp", "sbr", "tap", "vlan", "vrf")
SHELLS = {
    "bash": "usr/share/bash-completion/completions/cniwire",
    "zsh": "usr/share/zsh/vendor-completions/_cniwire",
    "fish": "usr/share/fish/vendor_completions.d/cniwire.fish",
}
DOC, LIB, CNI = "usr/share/doc/cniwire/", "usr/lib/cniwire/", "usr/lib/cni/"
# Tags of lintian that are meant, each with its reason.
OVERRIDES = {
    "statically-linked-binary": "The plugins' executable runs in containers of any C library.",
    "embedded-library": "The launcher is frozen with its libraries; the bill of materials names them.",
    "package-installs-python-bytecode": "The launcher is frozen: no source to be compiled is beside it.",
    "hardening-no-pie": "At a fixed address nothing has to be relocated at each of many starts.",
}
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: cniwire
Comment: What of others is linked in, and under which licenses, is said in
 /usr/lib/cniwire/*.licenses.

Files: *
Copyright: 2026 the cniwire authors
License: Apache-2.0
 On Debian systems the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""


def tree(plugins: Tree, launcher: Tree, changelog: str) -> dict[str, File]:
    """The files of the package. plugins, launcher: as contents.linked and contents.launcher have them."""
    papers = {name: file for name, file in {**plugins, **launcher}.items() if name.endswith(".licenses")}
    own = {name: file for name, file in launcher.items() if name == LAUNCHER or name.startswith("lib/")}
    conf = "share/conf/"
    examples = {name.removeprefix(conf): file for name, file in launcher.items() if name.startswith(conf)}
    reasons = [row for tag, why in OVERRIDES.items() for row in (f"# {why}", f"cniwire: {tag}")]
    return {
        **moved({name: file for name, file in plugins.items() if name not in papers}, CNI),
        **moved({**own, **papers}, LIB),
        **{f"{LIB}{name}": link(f"../cni/{name}") for name in PLUGINS},
        "usr/bin/cniwire": link("../lib/cniwire/cniwire"),
        **{path: launcher[f"share/completion/{COMPLETION[shell]}"] for shell, path in SHELLS.items()},
        **moved(examples, f"{DOC}examples/"),
        f"{DOC}copyright": File(COPYRIGHT.encode()),
        f"{DOC}changelog.gz": File(compressed(changelog.encode())),
        "usr/share/lintian/overrides/cniwire": text(*reasons),
    }


def depends(outside: Iterable[str], executables: Iterable[Path]) -> tuple[str, ...]:
    """The packages that have the libraries *outside*, libc6 in the version whose symbols are used.

    outside: paths, as contents.outside has them. Raises Refused where a library is of no package.
    """
    symbols = [re.findall(r"GLIBC_(\d+)\.(\d+)", run("objdump", "-T", each)) for each in executables]
    newest = max((int(major), int(minor)) for found in symbols for major, minor in found)
    names = set()
    for path in outside:
        part = packaged(f"*/{Path(path).name}")
        if not part:
            raise Refused(f"/{path}, which the launcher needs, is of no package")
        names.add(part.name)
    return tuple(
        f"{name} (>= {newest[0]}.{newest[1]})" if name == "libc6" else name for name in sorted(names)
    )


def control(facts: Facts, files: Tree, needed: Iterable[str]) -> str:
    size = sum(max(1, -(-len(file.content) // 1024)) for file in files.values())  # KiB, as policy counts
    fields = {
        "Package": "cniwire",
        "Version": facts.version,
        "Architecture": DEBIAN[facts.machine],
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size),
        "Depends": ", ".join(needed),
        "Suggests": "nftables, iptables, podman, containerd",
        "Conflicts": "containernetworking-plugins",
        "Replaces": "containernetworking-plugins",
        "Provides": f"containernetworking-plugins (= {REFERENCE}), container-network-stack (= 1)",
        "Section": "net",
        "Priority": "optional",
        "Description": PURPOSE,
    }
    long = (
        f"The plugins {', '.join(PLUGINS)} of the Container Network Interface, as one static executable that "
        "needs no interpreter, with nftables spoken directly to the kernel; and the command cniwire, which "
        "wires, looks, explains and cleans up."
    )
    lack = f"Of containernetworking-plugins, whose place it takes, it lacks {', '.join(LACKED)}."
    rows = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\n".join([*rows, *wrapped(long), " .", *wrapped(lack), ""])


def wrapped(words: str) -> list[str]:
    """Lines of at most 78 characters, each behind a blank."""
    rows = [""]
    for word in words.split():
        if len(rows[-1]) + len(word) > 76:
            rows.append("")
        rows[-1] += f" {word}"
    return rows


def build(facts: Facts, files: Tree, needed: Iterable[str], scratch: Path, target: Path) -> None:
    """Make the package *target*, in the folder *scratch*, which is made and removed. Raises Refused."""
    shutil.rmtree(scratch, ignore_errors=True)
    write(files, scratch, facts.epoch)
    sums = [
        f"{hashlib.md5(file.content, usedforsecurity=False).hexdigest()}  {name}"
        for name, file in sorted(files.items())
        if not file.target
    ]
    about = {"DEBIAN/control": File(control(facts, files, needed).encode()), "DEBIAN/md5sums": text(*sums)}
    write(about, scratch, facts.epoch)
    run(
        *("dpkg-deb", "--root-owner-group", "--uniform-compression", "-Zxz", "--build", scratch, target),
        SOURCE_DATE_EPOCH=str(facts.epoch),
        DPKG_DEB_THREADS_MAX="1",
    )
    shutil.rmtree(scratch)
