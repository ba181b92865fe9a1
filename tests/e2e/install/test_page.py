"""docs/install.md, command by command as it stands there, in the directories that it names."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from launcher.installation.versions import PLUGINS
from launcher.lab import libc, private
from tests.e2e.install.directory import GO, first_line
from tests.e2e.install.node import ROOT, changed

PAGE = (ROOT / "docs" / "install.md").read_text()
LINES = [
    line
    for block in re.findall(r"^\n((?: {4}.*\n)+)", PAGE, re.MULTILINE)
    for line in dedent(block).splitlines()
]
BIN_DIR, CONF_DIR, PREFIX = Path("/opt/cni/bin"), Path("/etc/cni/net.d"), Path("/usr/local")
MNT_DETACH = 2


@pytest.fixture
def run(bundle: Path, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """What executes a line of a node's administrator, in a folder with dist/cniwire; gives what it says."""
    mounted = [str(path) for path in (BIN_DIR.parent, CONF_DIR.parent, PREFIX)]
    for path in mounted:
        private(path, "755")
    tools, dist = tmp_path / "tools", tmp_path / "dist"
    for folder in (tools, dist):
        folder.mkdir()
    (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (tools / "sudo").chmod(0o755)
    (dist / "cniwire").symlink_to(bundle)
    environ = {**os.environ, "PATH": f"{tools}:{PREFIX}/bin:/usr/bin:/usr/sbin:/bin:/sbin"}

    def executed(text: str) -> str:
        done = subprocess.run(["sh", "-c", text], cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    try:
        yield executed
    finally:
        for path in mounted:
            libc.umount2(path.encode(), MNT_DETACH)


def test_the_commands_of_the_page_do_what_it_says(
    run: Callable[[str], str], bundle: Path, tmp_path: Path, go: Path
) -> None:
    """All of them, in order; what happens in between is said in the page's prose."""
    first, check, replace, network, upgrade, rollback, uninstall = LINES
    assert f"is in {BIN_DIR}" in run(first)
    assert "cniwire 0.2.0: bandwidth, bridge, " in run(check)
    (BIN_DIR / "bridge").unlink()
    for name in ("bridge", "dhcp"):
        shutil.copy(GO / name, BIN_DIR)
    assert "for `cniwire uninstall`: bridge" in run(replace)
    assert str(CONF_DIR / "10-cniwire.conflist") in run(network)
    told = {name: first_line(BIN_DIR / name) for name in PLUGINS}
    assert all("+cniwire." in line for line in told.values())
    (tmp_path / "dist" / "cniwire").unlink()
    changed(bundle, tmp_path / "dist" / "cniwire")
    newer = run(upgrade).split()[1]
    assert f"in place of {newer}" in run(rollback)
    run(uninstall)
    left = [path for folder in (BIN_DIR, CONF_DIR.parent, PREFIX) for path in folder.rglob("*")]
    assert sorted(path.name for path in left) == ["bridge", "dhcp"]
    assert (BIN_DIR / "bridge").read_bytes() == (go / "bridge").read_bytes()
