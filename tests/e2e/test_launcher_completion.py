"""Completion in bash, zsh and fish: what each shell offers for a line, networks and containers included."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.commands import COMMANDS
from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host

LONG = "3f2a1b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708"
BASH = """
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cniwire
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { : }
compadd() {
    while (( $# )) && [[ $1 != -- ]]; do shift; done; shift
    for word in "$@"; do [[ $word == ${PREFIX}* ]] && print -r -- "$IPREFIX$word"; done
}
compset() { [[ $PREFIX == *,* ]] && IPREFIX=${PREFIX%,*}, && PREFIX=${PREFIX##*,} }
_files() {
    if [[ $1 == -g ]]; then
        for name in *(N); do [[ $name == ${~2} && $name == ${PREFIX}* ]] && print -r -- $name; done
    else
        for name in ${PREFIX}*(N/); do print -r -- $name; done
    fi
}
_describe() { for line in "${(@P)2}"; do compadd -- ${line%%:*}; done }
_command_names() { compadd -- ${(k)commands} }
_normal() { compadd -- ${(k)commands} }
source ./script
words=("$@"); CURRENT=$#; PREFIX=${words[CURRENT]}; IPREFIX=
_cniwire
"""
FISH = "source ./script; complete -C (string join ' ' -- $argv)"
DRIVERS = {
    "bash": ("--norc", "-c", BASH, "bash"),
    "zsh": ("-f", "-c", ZSH, "zsh"),
    "fish": ("--private", "-c", FISH),
}


class Shell:
    """One of the three, with `cniwire` on its PATH and the script read."""

    def __init__(self, name: str, cniwire: Cniwire, folder: Path):
        self.name, self.folder = name, folder
        tools = folder / "tools"
        tools.mkdir()
        (tools / "cniwire").write_text(f'#!/bin/sh\nexec {" ".join(cniwire.start)} "$@"\n')
        (tools / "cniwire").chmod(0o755)
        self.environ = cniwire.environ() | {
            "NETCONFPATH": str(cniwire.conf),
            "PATH": f"{tools}:{os.environ['PATH']}",
        }
        (folder / "script").write_text(cniwire("completion", name))
        self.asked = ("--cache-dir", str(cniwire.cache))

    def offers(self, *words: str) -> list[str]:
        """What it offers for the last of *words*."""
        line = ["cniwire", *self.asked, *words]
        done = subprocess.run(
            [self.name, *DRIVERS[self.name], *line],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode in (0, 1), done.stderr) == (True, ""), done
        return sorted({entry.partition("\t")[0] for entry in done.stdout.splitlines()} - {""})


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    made.network("my-net", bridge(host.data, "10.9.0.0/24"), version="1.1.0")
    yield made
    made.close()


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, cniwire: Cniwire, tmp_path: Path) -> Shell:
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return Shell(request.param, cniwire, tmp_path)


def test_commands_and_options(shell: Shell) -> None:
    """Without what is hidden from the help."""
    assert [word for word in shell.offers("") if not word.startswith("-")] == sorted(COMMANDS)
    assert shell.offers("de") == ["detach"]
    assert shell.offers("gc", "--dr") == ["--dry-run"]
    assert shell.offers("--json", "gc", "--dr") == ["--dry-run"]
    assert "--publish" in shell.offers("run", "demo", "--")
    assert "--rm" not in shell.offers("run", "--")
    assert shell.offers("network", "s") == ["show"]
    assert shell.offers("help", "ru") == ["run"]
    assert "fish" in shell.offers("completion", "")


def test_networks_and_files(shell: Shell, tmp_path: Path) -> None:
    """At the places of networks: the built-in one, too, and behind a comma; and list files of the folder."""
    (tmp_path / "mine.conflist").write_text("{}")
    for words in (["run"], ["up"], ["attach"], ["gc"], ["ls", "demo"], ["run", "-p", "8080:80"]):
        assert [word for word in shell.offers(*words, "m") if "/" not in word] == [
            "mine.conflist",
            "my-net",
        ], words
    assert {"demo", "my-net"} <= set(shell.offers("status", ""))
    assert shell.offers("run", "demo,my") == ["demo,my-net"]
    assert "my-net" in shell.offers("network", "show", "my")
    assert shell.offers("check", "--network", "my") == ["my-net"]
    assert {"all", "my-net"} <= set(shell.offers("detach", ""))


def test_containers(shell: Shell, cniwire: Cniwire) -> None:
    """Namespaces, and containers in the cache by their short ID; not where a new name is wanted."""
    name = cniwire.name("web")
    cniwire.host.run(f"ip netns add {name}")
    cniwire("attach", "my-net", name, "--id", LONG)
    for words in (["down"], ["down", "x"], ["exec"], ["attach", "demo"], ["detach", "demo"], ["check"]):
        assert shell.offers(*words, name[:4]) == [name], words
    if shell.name != "fish":  # whose script does not pass --cache-dir on
        assert shell.offers("check", "3f2") == [LONG[:12]]
    assert shell.offers("up", "my-net", name[:4]) == []


def test_commands_to_run(shell: Shell) -> None:
    for words in (["run", "demo", "--"], ["exec", "web"], ["lab", "--"]):
        assert "busybox" in shell.offers(*words, "busyb"), words


def test_folders(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for option in ("--conf-dir", "--plugin-dir", "--cache-dir", "--read-cache"):
        assert [word.rstrip("/") for word in shell.offers(option, "fold")] == ["folder"]


def test_a_name_is_never_executed(shell: Shell, cniwire: Cniwire, tmp_path: Path) -> None:
    """Whoever may name a namespace must not run commands as whoever presses the key."""
    evil = cniwire.name("$(touch hacked)")
    (Path("/run/netns") / evil).touch()
    for name in (evil, cniwire.name("`touch hacked`"), cniwire.name("a b")):
        with open(Path("/run/netns") / name, "w"):
            subprocess.run(["mount", "--bind", "/proc/self/ns/net", f"/run/netns/{name}"], check=True)
    (tmp_path / "$(touch hacked).conflist").write_text("{}")
    assert shell.offers("down", cniwire.mark) == []
    shell.offers("run", "$")
    shell.offers("run", "")
    assert not (tmp_path / "hacked").exists()


def test_bash_completes_a_word_that_stands_behind_a_port(cniwire: Cniwire, tmp_path: Path) -> None:
    """Bash breaks lines at : and =, too."""
    shell = Shell("bash", cniwire, tmp_path)
    assert shell.offers("run", "-p", "8080", ":", "80", "my") == ["my-net"]
    assert shell.offers("run", "--publish", "=", "8080", ":", "80", "my") == ["my-net"]
    (tmp_path / "other").mkdir()
    assert shell.offers("--conf-dir", str(tmp_path / "other"), "run", "") == ["demo"]
