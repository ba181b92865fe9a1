"""Install the bundle on a running node, and uninstall it: python -m bundle.install FOLDER --prefix ...

The mechanism, and its law, are those of `cniwire install` (launcher/installation). Here the versions lie in
PREFIX/lib/cniwire, all links lead through `current` there, and paths are those on the node, for packagers:
DESTDIR stands before them only where files are written.

A file in the place of one of our links is replaced without a question, kept, and brought back when the
suite is uninstalled.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.installation.place import Place
from launcher.installation.switching import install, uninstall
from launcher.installation.things import Link, Thing
from launcher.installation.versions import CURRENT, PLUGINS, SHARED, Refused


class Prefix(Place):
    """Versions in PREFIX/lib/cniwire, links in BINDIR and below PREFIX."""

    def __init__(self, destdir: str, prefix: str, bindir: str) -> None:
        for name, path in (("PREFIX", prefix), ("BINDIR", bindir)):
            if not os.path.isabs(path):
                raise Refused(f"{name}={path}: an absolute path, please: links will name it")
        self.destdir = destdir
        self.prefix, self.bindir = os.path.normpath(prefix), os.path.normpath(bindir)
        super().__init__(f"{self.prefix}/lib/cniwire", "/", "`make uninstall`")
        if f"{self.bindir}/".startswith(f"{self.lib}/"):
            raise Refused(f"BINDIR={bindir}: the suite itself goes there, as one folder a version")

    def real(self, name: str) -> Path:
        """DESTDIR and the path on the node."""
        return Path(f"{os.path.abspath(self.destdir)}{name}" if self.destdir else name)

    def things(self, version: str) -> Mapping[str, Thing]:
        """Each link outside of lib/cniwire; its target is the same for every version.

        Targets are absolute, because the folder of a link may be a link itself.
        """
        current = f"{self.lib}/{CURRENT}"
        plugins = {f"{self.bindir}/{name}": Link(f"{current}/{name}") for name in PLUGINS}
        shared = {f"{self.prefix}/{path}": Link(f"{current}/{target}") for path, target in SHARED.items()}
        return {**plugins, **shared}


def take_away(place: Prefix, keep: bool) -> None:
    """Uninstall. keep: only the plugins go from BINDIR; `cniwire` stays, with plugins of its own beside it.

    Raises Refused, OSError.
    """
    if not place.home.is_dir():
        raise Refused(f"{place.lib}: nothing is installed there (PREFIX=, DESTDIR=)")
    if uninstall(place, print, (lambda name: os.path.dirname(name) != place.bindir) if keep else None):
        print(f"{place.lib} and the links to it are gone")
    else:
        print(f"the plugins are gone from {place.bindir}; cniwire stays until `make uninstall` without KEEP")


def main() -> int:
    about = "Install the bundle in FOLDER, or take away what was installed."
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", help="the bundle; none: uninstall")
    for option in ("--destdir", "--prefix", "--bindir"):
        parser.add_argument(option, default="")
    parser.add_argument("--keep", action="store_true", help="uninstall: the command cniwire stays")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        place = Prefix(options.destdir, options.prefix, options.bindir)
        if options.folder:
            version = install(options.folder, place, print)
            print(f"{place.lib}/{version}, and links to it in {place.bindir} and {place.prefix}")
        else:
            take_away(place, options.keep)
    except (Refused, OSError) as error:
        print(f"{'install' if options.folder else 'uninstall'}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
