"""Names from kernel, caches, files and plugins' answers are shown, and do nothing to the terminal."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.fake_plugin import FakePlugins
from tests.harness.host import Host

EVIL = "\x1b[666m"  # nobody of ours writes such a colour
BAD = EVIL.encode() + b"\xff"
SHOWN = "\\x1b[666m"
BIDI = "\u202e\x9b666m\u2028"


@pytest.fixture
def fakes(tmp_path: Path) -> FakePlugins:
    made = FakePlugins(tmp_path / "fakes")
    made.make("main")
    return made


@pytest.fixture
def cniwire(host: Host, fakes: FakePlugins) -> Iterator[Cniwire]:
    made = Cniwire(host, fakes.folder)
    made.network("net", {"type": "main", "capabilities": {"portMappings": True}}, version="1.1.0")
    yield made
    made.close()


def everything(cniwire: Cniwire, *arguments: str) -> str:
    """What is printed to pipes, as text and as JSON, and at terminals: lines of printable UTF-8 alone.

    Returns the text.
    """
    shown = ""
    for options in ((), ("--json",)):
        with cniwire.popen(*options, *arguments, text=False) as process:
            told: Any = process.communicate(timeout=60)
        outputs = [output.decode() for output in told]
        for output in outputs:
            assert output.replace("\n", "").isprintable(), output
        if options == ("--json",) and outputs[0]:
            document = json.loads(outputs[0])
            assert "\\ud" not in json.dumps(document), "a lone surrogate, which no strict decoder takes"
            shown += json.dumps(document, ensure_ascii=False)
        else:
            shown += "".join(outputs)
    screen = cniwire.at_terminal(100, *arguments)
    text = re.sub(
        r"\x1b\[(\d{1,2};?)*[mK]|\x1b\[\?25[hl]|\x1b\[\d*[A-J]|[\r\n]", "", screen.stdout + screen.stderr
    )
    assert text.isprintable(), repr(text)
    return shown


def keep(cniwire: Cniwire, name: str = "file", **values: Any) -> None:
    """Put a file into the cache as another runtime might."""
    folder = cniwire.cache / "results"
    folder.mkdir(parents=True, exist_ok=True)
    names = {"kind": "cniCacheV1", "networkName": "net", "containerId": "c1", "ifName": "eth0"}
    (folder / name).write_text(json.dumps({**names, **values}))


@pytest.mark.parametrize("key", ["networkName", "containerId", "ifName", "netns"])
def test_names_of_caches_are_shown(cniwire: Cniwire, key: str) -> None:
    for number, evil in enumerate([EVIL, "[bold]x[/]", "a\n✔ all is well", BIDI, "x\\"]):
        keep(cniwire, f"file{number}", **{"containerId": f"c{number}", key: evil})
    for command in (["ls"], ["ps"], ["check"], ["gc", "--dry-run"]):
        text = everything(cniwire, *command)
        assert "\n✔ all" not in text
        assert SHOWN in text or key == "netns" or (key, command) == ("networkName", ["gc", "--dry-run"])


def test_what_caches_say_of_results_is_shown(cniwire: Cniwire) -> None:
    mappings = [{"hostPort": 8080, "containerPort": 80, "protocol": EVIL, "hostIP": EVIL}]
    result = {
        "cniVersion": "1.0.0",
        "ips": [{"address": EVIL}],
        "interfaces": [{"name": EVIL}, {"name": "eth0", "sandbox": EVIL}],
    }
    keep(
        cniwire,
        capabilityArgs={"portMappings": mappings},
        cniArgs=[["K8S_POD_NAME", EVIL], ["K8S_POD_NAMESPACE", EVIL]],
        result=result,
    )
    for command in (["ls"], ["check"], ["gc", "--dry-run"], ["down", "c1"]):
        everything(cniwire, *command)


def test_names_of_the_kernel_are_shown(cniwire: Cniwire) -> None:
    """Interfaces and their aliases, in bytes that are no UTF-8; namespaces."""
    host = os.fsencode("/run/netns/") + BAD
    cniwire.host.run("ip link add name v1 type veth peer name v2")
    os.mkdir("/run/netns") if not os.path.isdir("/run/netns") else None
    for words in (
        [b"link", b"set", b"v1", b"name", BAD],
        [b"link", b"set", b"v2", b"alias", b"net/" + BAD + b"/eth0"],
        [b"netns", b"add", BAD],
    ):
        with cniwire.host.entered():
            assert os.spawnvp(os.P_WAIT, "ip", [b"ip", *words]) == 0
    try:
        keep(cniwire, netns=f"/run/netns/{EVIL}", result={"interfaces": [{"name": "v2"}]})
        assert SHOWN + "\\xff" in everything(cniwire, "ls")
        assert SHOWN + "\\xff" in everything(cniwire, "gc", "--dry-run")
        everything(cniwire, "check")
    finally:
        os.spawnvp(os.P_WAIT, "ip", [b"ip", b"netns", b"delete", BAD])
        assert not os.path.lexists(host)


def test_names_of_files_are_shown(cniwire: Cniwire) -> None:
    """Of networks that cannot be read."""
    (Path(os.fsdecode(os.fsencode(cniwire.conf) + b"/" + BAD + b".conflist"))).write_text("{")
    for command in (
        ["ls"],
        ["status"],
        ["gc"],
        ["network", "ls"],
        ["up", "nowhere", "web"],
        ["up", f"./{EVIL}.conflist", "web"],
    ):
        text = everything(cniwire, *command)
        assert SHOWN in text, command


def test_answers_of_plugins_are_shown(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """Error, details, stderr, rubbish instead of an answer, a result's values."""
    web = cniwire.name("web")
    refusal = {"code": 100, "msg": f"{EVIL}\n✔ all is well", "details": f"{EVIL}\n✔ all is well\r{BIDI}"}
    for answer in (
        {"json": refusal, "exit": 1},
        {"stdout": EVIL, "exit": 1},
        {"stderr": f"{EVIL}\nmore\r", "exit": 1},
        {"stdout": EVIL},
    ):
        fakes.make("main", ADD=answer, STATUS=answer)
        for command in (["up", "net", web], ["status"]):
            text = everything(cniwire, *command)
            assert "\n✔ all" not in text
            assert SHOWN in text or answer == {"stdout": EVIL}
    fakes.make(
        "main", ADD={"json": {"cniVersion": "1.1.0"}, "stderr": EVIL}, CHECK={"json": refusal, "exit": 1}
    )
    assert SHOWN in everything(cniwire, "--verbose", "run", "net", "--", "true")
    cniwire("up", "net", web)
    assert SHOWN in everything(cniwire, "check")


def test_data_is_no_markup_and_no_emoji(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """fd00:cd:bee::2 holds `:cd:`, which is a picture to Rich; and a bracket belongs to its address."""
    result = {
        "cniVersion": "1.1.0",
        "ips": [{"address": "fd00:cd:bee::2/64"}],
        "interfaces": [{"name": "eth0", "sandbox": "x"}],
    }
    fakes.make("main", ADD={"json": result})
    web = cniwire.name("web")
    with cniwire.popen("up", "net", web, "-p", "[fd00::1]:8080:80") as process:
        stdout, stderr = process.communicate(timeout=60)
    assert "fd00:cd:bee::2/64" in stdout + stderr
    assert "[fd00::1]:8080" in stdout + stderr
    for columns in (200,):
        assert "[fd00::1]:8080" in "".join(cniwire.at_terminal(columns, "ls").lines)
    keep(cniwire, "second", containerId="c2", netns="/run/netns/:cd:")
    assert "/run/netns/:cd:" in cniwire("gc", "--dry-run")


def test_an_interface_name_that_no_file_can_hold_is_refused(cniwire: Cniwire) -> None:
    with cniwire.popen("run", "net", "--ifname", os.fsdecode(BAD), "--", "true") as process:
        _, stderr = process.communicate(timeout=60)
    if "Failed to set sys.argv: decoding error" in stderr:
        pytest.skip("PyInstaller's start of this Python takes no arguments that are not UTF-8")
    assert process.returncode == 125
    assert "want 1 to 15 bytes of UTF-8" in stderr
    assert EVIL not in stderr
