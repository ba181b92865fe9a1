"""The place of `cniwire install`: all of it in the plugin directory, so that it may be mounted anywhere.

The versions lie in a hidden folder of that directory, and the plugins' names are links that stay within it:
they lead to the same files for whoever sees the directory under another path, such as an installer in a
container, whose /host/opt/cni/bin is the node's /opt/cni/bin. Names in the record are relative to the
directory for the same reason.

Copies are for where a link is in the way: another installer's `cp` would write through it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from launcher.installation.place import Place, Record
from launcher.installation.things import Copy, Link, Thing
from launcher.installation.versions import CURRENT, PLUGINS, REPLACED, SHARED, Refused, is_static

HIDDEN = ".cniwire"  # in the plugin directory; runtimes look for names of plugins only


class PluginDirectory(Place):
    """Versions in BIN_DIR/.cniwire, links or copies beside it.

    prefix: also the command, its completion scripts and examples, as links below it; "" for none.
    """

    def __init__(self, bin_dir: str, copies: bool = False, prefix: str = "") -> None:
        self.bin_dir, self.copies = os.path.abspath(bin_dir), copies
        self.prefix = os.path.abspath(prefix) if prefix else ""
        super().__init__(f"{self.bin_dir}/{HIDDEN}", self.bin_dir, "`cniwire uninstall`")

    def things(self, version: str) -> Mapping[str, Thing]:
        """The plugins' names; and below the prefix absolute links, which are followed on this node only."""
        found: dict[str, Thing] = {
            name: Copy(self.home / version / name) if self.copies else Link(f"{HIDDEN}/{CURRENT}/{name}")
            for name in PLUGINS
        }
        shared = SHARED if self.prefix else {}
        more = {f"{self.prefix}/{path}": Link(f"{self.lib}/{CURRENT}/{to}") for path, to in shared.items()}
        return {**found, **more}

    def stays(self, record: Record) -> set[str]:
        """The network configuration: only who asks for another one changes it."""
        return {str(record.options.get("configuration"))}

    def replaced(self, names: list[str]) -> list[str]:
        """One line."""
        shown = ", ".join(name if os.sep not in name else self.named(name) for name in names)
        return [f"kept in {self.lib}/{REPLACED} for {self.undo}: {shown}"] if names else []

    def relative(self, path: str) -> str:
        """*path* as the record has it."""
        return os.path.relpath(os.path.abspath(path), self.bin_dir)

    def refuse_unfit(self, suite: Path) -> None:
        """Raise Refused where copies are wanted of plugins that cannot be copied singly."""
        if self.copies and not is_static(suite):
            raise Refused(f"--copy: the plugins in {suite} need the folder lib beside them")
