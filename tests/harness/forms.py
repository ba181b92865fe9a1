"""Stand-ins for what a release is made of: a commit, plugins and a launcher that are scripts."""

import subprocess
from pathlib import Path

from bundle.build import COMPLETION
from bundle.release.facts import MACHINE, ROOT, Facts
from bundle.release.tree import File, link, text
from launcher.installation.versions import LAUNCHER, PLUGINS

BUILT = ROOT / "dist" / "static" / MACHINE  # where make dist leaves the static file
CHROOT = "/usr/sbin/chroot"
TOLD = Facts("0123456789abcdef0123456789abcdef01234567", 1_700_000_000, "1.2.3", "x86_64")
DAY = "2023-11-14"  # of that commit
SCRIPT = File(b"#!/bin/sh\necho here\n", executable=True)
LINKED = {
    "cniwire-plugins": SCRIPT,
    "cniwire-plugins.licenses": text("licenses"),
    **dict.fromkeys(PLUGINS, link("cniwire-plugins")),
}
COMMAND = {
    LAUNCHER: SCRIPT,
    "lib/libz.so.1": text("a library"),
    "lib/os.pyc": text("a module"),
    "share/conf/10-bridge.conflist": text("{}"),
    **{f"share/completion/{name}": text(f"for {shell}") for shell, name in COMPLETION.items()},
    "LICENSE": text("a license"),
    "cniwire.licenses": text("licenses"),
}


class Root:
    """A root directory, and scripts with the plugins' names that call the plugins in it.

    root: has the plugins in *inside*. scripts: a folder, which is made here and, as a link, in the root: so
    CNI_PATH is the same within.
    """

    def __init__(self, root: Path, inside: str, scripts: Path) -> None:
        self.root, self.scripts = root, scripts
        within = self.within(scripts)
        within.parent.mkdir(parents=True)
        within.symlink_to(inside)
        scripts.mkdir()
        for name in PLUGINS:
            (scripts / name).write_text(f"#!/bin/sh\nexec {CHROOT} {root} {scripts}/{name}\n")
            (scripts / name).chmod(0o755)

    def within(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    def see(self, *paths: Path) -> None:
        """From now on the plugins see these folders, with all that is mounted there by now."""
        for path in paths:
            self.within(path).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--rbind", "--make-rslave", path, self.within(path)], check=True)

    def forget(self, *paths: Path) -> None:
        for path in paths:
            subprocess.run(["umount", "--lazy", "--recursive", self.within(path)], check=True)
