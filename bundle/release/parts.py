"""What of others is inside: interpreter, C libraries, Python packages; with versions, licenses and sources.

Of a library of the machine, its package manager is asked; what no package has is named by its file and hash.
"""

import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from bundle.release.facts import DEBIAN, run
from bundle.static import source
from launcher.installation.versions import Refused

OURS = {"core", "ipam", "launcher", "plugins", "cniwire"}
# Those of packages that may be inside, by the source package; the texts themselves go along.
LICENSES = {
    "expat": "MIT",
    "gcc-12": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "glibc": "LGPL-2.1-or-later",
    "libffi": "MIT",
    "musl": "MIT",
    "zlib": "Zlib",
}
PYTHON_LICENSE = "PSF-2.0"


@dataclass(frozen=True)
class Part:
    """A component of others. sha256: of its source, or of the file. notice: the text of its license."""

    name: str
    version: str = ""
    purl: str = ""
    cpe: str = ""
    license: str = ""
    sha256: str = ""
    source: str = ""
    notice: str = ""

    @property
    def reference(self) -> str:
        return self.purl or f"{self.name}@{self.version or self.sha256}"


def packaged(pattern: str) -> Part | None:
    """The package of the machine that has a file of that path, which may have wildcards."""
    machine = DEBIAN.get(platform.machine(), "")
    try:
        rows = run("dpkg-query", "--search", pattern).splitlines()
        owners = sorted({row.partition(": ")[0] for row in rows if not row.startswith("diversion")})
        owner = next(each for each in owners if each.partition(":")[2] in ("", machine))
        shown = "${Version} ${source:Package} ${Architecture}"
        version, origin, architecture = run("dpkg-query", "--show", f"--showformat={shown}", owner).split()
    except (Refused, StopIteration):
        return None
    name = owner.partition(":")[0]
    copyright_file = Path("/usr/share/doc", name, "copyright")
    notice = copyright_file.read_text() if copyright_file.exists() else ""
    known = PYTHON_LICENSE if origin.startswith("python3") else LICENSES.get(origin, "")
    purl = f"pkg:deb/debian/{name}@{quote(version, safe='~')}?arch={architecture}"
    return Part(name, version, purl, license=known, notice=notice)


def library(path: Path) -> Part:
    """Of what package a copy of a shared library is."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return packaged(f"*/{path.name}") or Part(path.name, sha256=digest)


def python_package(name: str) -> Part:
    """A distribution of this Python's, as it is installed here."""
    about = metadata.distribution(name)
    fields = [about.metadata.get_all(field) or [""] for field in ("License-Expression", "License")]
    told = next((values[0] for values in fields if values[0]), "")
    texts = [each for each in about.files or () if "LICEN" in each.name.upper() or "COPYING" in each.name]
    notice = "\n".join(each.read_text() for each in sorted(texts))
    purl = f"pkg:pypi/{about.name.lower()}@{about.version}"
    return Part(about.name, about.version, purl, license=told.partition("\n")[0], notice=notice)


def of_static(compiler: str = "musl-gcc") -> tuple[Part, ...]:
    """What the one static file of the plugins is linked of. Raises Refused without the compiler."""
    cpython = Part(
        "CPython",
        source.VERSION,
        f"pkg:generic/python@{source.VERSION}",
        f"cpe:2.3:a:python:python:{source.VERSION}:*:*:*:*:*:*:*",
        PYTHON_LICENSE,
        source.SHA256,
        f"https://deb.debian.org/debian/pool/main/p/{source.PACKAGE}/{source.ARCHIVE}",
    )
    runtime = packaged(run(compiler, "-print-libgcc-file-name").strip())
    libraries = [packaged("*/libc.a") if compiler == "gcc" else packaged("*linux-musl*/libc.a"), runtime]
    return (cpython, *[each for each in libraries if each])


def of_launcher(lib: Path) -> tuple[Part, ...]:
    """What the folder of the launcher's contents has of others, sorted by name.

    Raises Refused where it has a module of which nobody knows whence it came.
    """
    found = {library(path) for path in lib.glob("*.so*")}
    owners = metadata.packages_distributions()
    for name in sorted(foreign(lib)):
        if name not in owners:
            raise Refused(f"the launcher has a module {name!r}, and no package is known that it is of")
        found.update(python_package(each) for each in owners[name])
    return tuple(sorted(found, key=lambda part: part.reference))


def foreign(lib: Path) -> Iterator[str]:
    """The top-level modules in *lib* that are neither ours nor the standard library's."""
    for path in lib.iterdir():
        name = path.name.partition(".")[0]
        is_module = path.suffix == ".pyc" or (path.is_dir() and not path.name.startswith("python3"))
        if is_module and "-" not in path.name and name not in {*OURS, *sys.stdlib_module_names}:
            yield name


def of_wheel(requirements: Iterable[str] = ("rich", "pyroute2", "netaddr")) -> tuple[Part, ...]:
    """What an installer fetches for the wheel, in the versions that are installed here."""
    found: dict[str, Part] = {}
    waiting = [*requirements]
    while waiting:
        part = python_package(waiting.pop())
        if part.reference not in found:
            found[part.reference] = part
            told = metadata.requires(part.name) or ()
            wanted = [each for each in told if "extra ==" not in each and "sys_platform ==" not in each]
            waiting += [name_of(each) for each in wanted if name_of(each)]
    return tuple(found[each] for each in sorted(found))


def name_of(requirement: str) -> str:
    """The name in a requirement (PEP 508); "" of one that is not installed, and so not needed here."""
    name = requirement.split(";", maxsplit=1)[0]
    for sign in "[(<>=!~ ":
        name = name.split(sign)[0]
    try:
        return metadata.distribution(name).name
    except metadata.PackageNotFoundError:
        return ""


def notices(title: str, parts: Iterable[Part]) -> str:
    """One text of all licenses, as a file beside the executables."""
    texts = [f"What {part.name} in {title} is under:\n\n{part.notice}" for part in parts if part.notice]
    return "\n\n".join(texts)
