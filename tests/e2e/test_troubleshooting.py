"""docs/troubleshooting.md: every error code with what is printed, and every command that it shows."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from core import errors
from launcher.installation.versions import STATIC
from tests.e2e import failing
from tests.harness import pages
from tests.harness.cniwire import Cniwire
from tests.harness.configs import PORTMAP, bridge
from tests.harness.host import Host

SECTIONS = pages.sections("troubleshooting")
CODES = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
CODED = {int(title.partition(":")[0]): text for title, text in SECTIONS.items() if title[:1].isdigit()}
SYMPTOMS = {title: text for title, text in SECTIONS.items() if not title[:1].isdigit()}
LINK = re.compile(r"\]\(#([^)]+)\)")
PRINTED = "What is printed"


def test_every_code_has_its_section_with_cause_consequence_and_remedy() -> None:
    """In order, and none that there is not."""
    assert [*CODED] == sorted(CODES - {errno for errno in errors.TRANSIENT if errno not in CODED})
    for code, text in CODED.items():
        assert re.findall(r"^\* \*\*(\w+)\*\*", text, re.MULTILINE) == ["Cause", "Consequence", "Remedy"], (
            code
        )
    assert {*failing.CALLS, *failing.NEVER} == {*CODED}


@pytest.mark.parametrize("code", failing.CALLS)
def test_the_message_is_the_one_that_is_printed(code: int, host: Host) -> None:
    block = re.sub(r"\n +", " ", pages.blocks(CODED[code])[PRINTED])  # long lines go on, further in
    if (host.plugins / STATIC).exists():
        block = block.replace("Network is unreachable", "Network unreachable")  # musl's words
    shown = json.loads(f"{{{block}}}")
    answer = failing.CALLS[code](host)
    assert failing.told(host, answer) == {"code": code, **shown}
    assert answer.exit_code == 1


@pytest.mark.parametrize("code", failing.NEVER)
def test_what_is_never_printed_shows_no_message(code: int) -> None:
    """And the constant stands nowhere but in the list."""
    assert pages.blocks(CODED[code]) == {}
    name = next(name for name, value in vars(errors).items() if name.isupper() and value == code)
    root = Path(errors.__file__).parents[1]
    naming = [path for part in ("core", "plugins", "ipam") for path in (root / part).rglob("*.py")]
    assert [path.name for path in naming if name in path.read_text()] == ["errors.py"]


def test_links_within_the_page_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in SECTIONS}
    assert set(LINK.findall("".join(SECTIONS.values()))) - anchors == set()


class Scene(NamedTuple):
    """What is wrong before the commands of a section, what they say, and whether web is well afterwards."""

    broken: Callable[[Cniwire], object]
    said: tuple[str, ...]
    cured: bool = True


def nothing(cniwire: Cniwire) -> None:
    """All is well."""


def dead(cniwire: Cniwire) -> None:
    """A second container, whose namespace somebody has deleted."""
    cniwire("up", "demo", "db")
    cniwire.host.run("ip netns delete db")


WEB, PORT = "demo/web/eth0", "8080→80/tcp"
SCENES = {
    "When something does not work": Scene(
        nothing, ("demo is ready", "web/eth0 on demo is as it was made", PORT)
    ),
    "The container reaches nobody": Scene(
        lambda cniwire: cniwire.host.run("ip netns exec web ip route delete default"),
        ("✘ web/eth0 on demo is not as it was made", "no default route", "10.77.0.0/24 dev eth0"),
        cured=False,
    ),
    "The container reaches the host, and nothing beyond": Scene(
        lambda cniwire: cniwire.host.sysctl("net/ipv4/ip_forward", 0),
        ("/proc/sys/net/ipv4/ip_forward:0", "net/ipv4/ip_forward", 'comment "demo/web/eth0"'),
        cured=False,
    ),
    "A published port does not answer": Scene(nothing, (PORT, "tcp . 8080", "Local Address:Port")),
    '"already attached", "already exists"': Scene(
        nothing, ("web/eth0 is on demo", "holds 1 live attachment")
    ),
    "No address is left": Scene(dead, ("10.77.0.3:db", "would remove", "1 live attachment")),
    "Rules are gone: a reload of firewalld, a flushed rule set": Scene(
        lambda cniwire: cniwire.host.run("nft flush ruleset"),
        ("✘ web/eth0 on demo is not as it was made", PORT),
    ),
    "The bridge has another address": Scene(
        lambda cniwire: cniwire.host.run(
            "ip address flush dev demo0 && ip address add 10.9.0.1/24 dev demo0"
        ),
        ("10.9.0.1/24", "other/eth0 is on demo"),
    ),
    "DEL fails, a container does not go away": Scene(nothing, ("DEL ", "CNI_IFNAME=eth0"), cured=False),
    "It is slow, or it hangs": Scene(nothing, ("STATUS ", " ms, exit 0", "COMMAND")),
    "The answer is not here": Scene(nothing, ("look through it before you send it",)),
}
Node = tuple[Cniwire, Callable[[str], str]]
DATA_DIR = "/var/lib/cni/networks"  # of a node; the tests have another one each


@pytest.fixture
def node(host: Host, tmp_path: Path) -> Iterator[Node]:
    """A node with the container web; the function runs a line as its administrator."""
    cniwire = Cniwire(host, host.plugins)
    cniwire.network(
        "demo",
        bridge(host.data, "10.77.0.0/24", bridge="demo0", ipMasq=True, hairpinMode=True),
        PORTMAP,
        version="1.1.0",
    )
    tools = tmp_path / "tools"
    tools.mkdir()
    line = " ".join([*cniwire.start, *cniwire.options])
    for name, text in (("sudo", 'exec "$@"'), ("cniwire", f'exec {line} "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    environ = cniwire.environ() | {"LC_ALL": "C.UTF-8"}
    environ["PATH"] = f"{tools}:{environ['PATH']}"

    def run(command: str) -> str:
        command = command.replace(DATA_DIR, str(host.data))
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert done.returncode in (0, 1), f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    cniwire.names += ["web", "db", "other"]
    try:
        cniwire("up", "demo", "web", "-p", "8080:80")
        yield cniwire, run
    finally:
        cniwire.close()


def commands(title: str) -> list[str]:
    """The lines of a section's blocks that are commands."""
    text = SYMPTOMS.get(title) or (pages.DOCS / "troubleshooting.md").read_text().partition("\n## ")[0]
    return [line for block in pages.blocks(text).values() for line in block.splitlines() if line.strip()]


def test_every_symptom_is_played() -> None:
    first, *rest = SCENES
    assert rest == [*SYMPTOMS]
    assert all(commands(title) for title in SCENES)
    assert first in (pages.DOCS / "troubleshooting.md").read_text().partition("\n")[0]


@pytest.mark.parametrize("title", SCENES)
def test_the_commands_of_a_symptom_say_what_is_wrong(title: str, node: Node) -> None:
    """And where the page promises it, the container is well again."""
    scene, (cniwire, run) = SCENES[title], node
    scene.broken(cniwire)
    said = "\n".join(run(line) for line in commands(title))
    assert [words for words in scene.said if words not in said] == [], said
    assert "not found" not in said
    if scene.cured:
        cniwire("check", "web")
