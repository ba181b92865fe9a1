"""`make torture-upgrade`: 1,000 ADDs and DELs while `cniwire upgrade` and `cniwire rollback` alternate.

A container is wired by bridge, host-local and portmap out of a plugin directory, and unwired, over and over,
in which another version is installed meanwhile and left again. No call may fail, nothing may be left.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from launcher import lab
from launcher.installation.versions import MEMBERS, is_static
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.torture.run import FOLDERS
from tests.torture.subject import ROOT

ADDS, ADDS_SHORT = 1000, 25
SWITCHES_SHORT = 4


class Caller(threading.Thread):
    """ADD and DEL of a container, until there were enough and nobody wants more.

    error: what failed first, "" if nothing did.
    """

    def __init__(self, host: Host, wanted: int) -> None:
        super().__init__()
        self.network = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP)
        self.container = host.container()
        self.wanted, self.done, self.error = wanted, 0, ""
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.error and not (self.enough.is_set() and self.done >= self.wanted):
            try:
                self.network.add(self.container, portMappings=[mapping(8080)])
                self.network.delete(self.container, portMappings=[mapping(8080)])
            except BaseException as error:  # noqa: BLE001
                self.error = f"call {self.done}: {error!r}"
            self.done += 1


def other(suite: Path, folder: Path) -> Path:
    """The same suite, and yet another version as far as an installer knows."""
    folder.mkdir()
    for name in filter(lambda name: (suite / name).exists(), MEMBERS):
        subprocess.run(["cp", "-a", suite / name, folder], check=True)
    (folder / "share").mkdir(exist_ok=True)
    (folder / "share" / "other").write_text("")
    return folder


def cniwire(command: str, bin_dir: Path, *options: str) -> None:
    """Raises CalledProcessError."""
    line = [sys.executable, "-m", "launcher", command, "--bin-dir", str(bin_dir), *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(line, env=environ, check=True, stdout=subprocess.DEVNULL)


def alternate(suite: Path, folder: Path, adds: int, switches: int, *options: str) -> tuple[int, int, str]:
    """How many ADDs there were, how many switches meanwhile, and what failed first, "" if nothing did.

    options: of `cniwire install`.
    """
    bin_dir, second = folder / "bin", other(suite, folder / "other")
    cniwire("install", bin_dir, "--from", str(suite), *options)
    made = 0
    with Host(bin_dir, folder) as host:
        caller = Caller(host, adds)
        caller.start()
        try:
            while caller.is_alive() and (caller.done < adds or made < switches):
                cniwire("upgrade", bin_dir, "--from", str(second))
                cniwire("rollback", bin_dir)
                made += 2
        finally:
            caller.enough.set()
            caller.join()
        left = [name for name in host.links() if name.startswith("veth")]
        left += [path.name for path in host.data.glob("*/10.*")]
    cniwire("uninstall", bin_dir)
    error = caller.error or (f"left behind: {', '.join(left)}" if left else "")
    return caller.done, made, error


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{ADDS_SHORT} ADDs")
    parser.add_argument("--adds", type=int, default=0, help=f"how many (default: {ADDS})")
    parser.add_argument("--plugins", default="bundle", help="bundle or the folder of a suite")
    options = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    suite = FOLDERS.get(options.plugins, Path(options.plugins)).resolve()
    adds = options.adds or (ADDS_SHORT if options.short else ADDS)
    failed = False
    for way in ((), ("--copy",)) if is_static(suite) else ((),):
        folder = Path(tempfile.mkdtemp(prefix="cniwire-upgrade-"))
        try:
            done, made, error = alternate(suite, folder, adds, SWITCHES_SHORT, *way)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        kind = "copies" if way else "links"
        print(f"{kind}: {done} ADDs and DELs, {made} switches meanwhile, {error or 'no failure'}")
        failed = failed or bool(error)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
