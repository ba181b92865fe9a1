"""`cniwire install --check`: what a node has, whose it is, what is missing.

At a terminal, in a pipe, as JSON.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from launcher.installation.versions import PLUGINS
from tests.e2e.install.directory import Directory, ours, theirs

CHAIN = ("bridge", "host-local", "portmap")
KERNEL = os.uname().release


def configured(directory: Directory, name: str, *types: str) -> None:
    """A network of these plugins; the first has host-local."""
    plugins: list[dict[str, Any]] = [{"type": each} for each in types]
    plugins[0]["ipam"] = {"type": "host-local"}
    values = {"cniVersion": "1.0.0", "name": name, "plugins": plugins}
    (directory.conf / f"{name}.conflist").write_text(json.dumps(values))


def test_a_node_is_told_line_by_line(directory: Directory, first: str, second: str, go: Path) -> None:
    theirs(directory, "dhcp", "vlan")
    script = directory.bindir / "flannel"
    script.write_text("#!/bin/sh\necho CNI Plugin flannel version v1.2.0")
    script.chmod(0o755)
    (directory.bindir / "README").write_text("no executable")
    directory("install", "--from", first)
    directory("upgrade", "--from", second)
    configured(directory, "mine", "bridge", "portmap")
    old, new = (next(directory.home.glob(f"{version}.0.0-*")).name for version in (1, 2))
    assert directory("install", "--check").splitlines() == [
        f"✔ {new} is in {directory.bindir}; `cniwire rollback` goes back to {old}",
        f"  cniwire 2.0.0: {', '.join(sorted(PLUGINS))}",
        "  CNI reference plugins: dhcp, vlan",
        "  unknown: flannel",
        f"✔ {directory.conf}/mine.conflist: mine  bridge host-local portmap",
        f"✔ Linux {KERNEL} has what the plugins need",
    ]


def test_what_is_wrong_is_told_and_is_exit_code_1(directory: Directory, first: str) -> None:
    directory("install", "--from", first)
    configured(directory, "lost", "macvlan", "sbr")
    (directory.conf / "wrong.conf").write_text("{")
    (directory.bindir / "tuning").unlink()
    (directory.bindir / "bridge").unlink()
    (directory.bindir / "bridge").write_text("of somebody")
    (directory.bindir / "ptp").symlink_to("nowhere")
    (version,) = directory.home.glob("1.0.0-*")
    (version / "cniwire-plugins").write_text("")
    said = directory("install", "--check", status=1)
    for text in (
        f"✘ {version} is damaged\n  → `cniwire install` puts it there anew",
        f"✘ {directory.bindir}/tuning is gone",
        f"✘ {directory.bindir}/bridge is somebody else's by now",
        f"✘ links that lead nowhere in {directory.bindir}: ptp",
        f"✘ {directory.conf}/lost.conflist: no executable macvlan, sbr",
        f"✘ {directory.conf}/wrong.conf: ",
    ):
        assert text in said
    (directory.bindir / "ptp").unlink()
    directory("install", "--from", first, "--replace")
    assert directory.says() == ours("1.0.0")


def test_a_program_reads_it_as_json(directory: Directory, first: str, go: Path) -> None:
    assert directory.json("install", "--check", status=1)["installed"] is None
    theirs(directory, "dhcp")
    directory("install", "--from", first, "--network", "demo")
    told = directory.json("install", "--check")
    (version,) = directory.home.glob("1.0.0-*")
    file = directory.conf / "10-cniwire.conflist"
    assert told == {
        "binDir": str(directory.bindir),
        "installed": {
            "version": version.name,
            "before": "",
            "whole": True,
            "copies": False,
            "prefix": "",
            "configuration": str(file),
        },
        "executables": [
            {"name": name, "suite": "CNI reference plugins", "version": ""}
            if name == "dhcp"
            else {"name": name, "suite": "cniwire", "version": "1.0.0"}
            for name in sorted((*PLUGINS, "dhcp"))
        ],
        "configurations": [
            {
                "file": str(file),
                "network": "demo",
                "types": ["bridge", "host-local", "portmap"],
                "missing": [],
            }
        ],
        "missing": [],
    }


def test_every_command_answers_in_json(directory: Directory, first: str, second: str) -> None:
    """One document on stdout, nothing on stderr; what is refused as well."""
    installed = directory.json("install", "--from", first, "--network", "demo")
    assert installed["configurations"] == [str(directory.conf / "10-cniwire.conflist")]
    upgraded = directory.json("upgrade", "--from", second)["version"]
    rolled = directory.json("rollback")
    assert (rolled["version"], rolled["instead"]) == (installed["version"], upgraded)
    refused = directory.json("rollback", status=1)
    assert refused["msg"].startswith("there is no version before ")
    assert directory.json("uninstall") == {"binDir": str(directory.bindir), "notes": []}


@pytest.mark.parametrize("columns", [20, 80])
def test_a_terminal_shows_all_within_its_width(
    directory: Directory, first: str, second: str, columns: int
) -> None:
    """With colours; a pipe gets lines that are neither wrapped nor coloured."""
    installed = directory.at_terminal(columns, "install", "--from", first)
    upgraded = directory.at_terminal(columns, "upgrade", "--from", second)
    checked = directory.at_terminal(columns, "install", "--check")
    refused = directory.at_terminal(columns, "install", "--from", "/nowhere")
    screens = (installed, upgraded, checked, refused)
    assert [screen.code for screen in screens] == [0, 0, 0, 1]
    assert max(screen.width for screen in screens) <= columns
    assert "\x1b[32m✔" in installed.stdout
    assert "`cniwirerollback`goesbackto1.0.0-" in checked.running
    assert "therearenopluginsin/nowhere:nothingwasinstalled" in refused.running
    piped = directory("install", "--check")
    assert "\x1b" not in piped
    assert [line for line in piped.splitlines() if line != line.rstrip()] == []
