"""Commands that wire, with plugins that fail, hang or are missing, and interrupted by signals."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.failures.answers import REFUSED, RESULT, begun
from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.fake_plugin import FakePlugins


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_during_add_undoes_what_was_begun(
    cniwire: Cniwire, fakes: FakePlugins, number: int, code: int
) -> None:
    """The plugin is ended, every plugin gets its DEL, the namespace goes."""
    fakes.make("last", ADD={"json": RESULT, "sleep": 60})
    name = cniwire.name("web")
    with cniwire.popen("run", "net", "--name", name, "--", "true") as process:
        begun(fakes, "ADD last")
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == code
    assert fakes.order == ["ADD first", "ADD last", "DEL last", "DEL first"]
    assert named_namespaces(cniwire.mark) == []


def test_a_second_signal_does_not_stop_the_tear_down(cniwire: Cniwire, fakes: FakePlugins) -> None:
    fakes.make("last", ADD={"json": RESULT}, DEL={"sleep": 1})
    name = cniwire.name("web")
    with cniwire.popen("run", "net", "--name", name, "--", "sleep", "60") as process:
        begun(fakes, "ADD last")
        time.sleep(0.5)
        process.terminate()
        begun(fakes, "DEL last")
        process.terminate()
        _, stderr = process.communicate(timeout=30)
    assert "SIGTERM noted, still cleaning up" in stderr
    assert fakes.order[2:] == ["DEL last", "DEL first"]
    assert (cniwire.cached, named_namespaces(cniwire.mark)) == ([], [])


@pytest.mark.parametrize("command", [["run", "net", "--", "true"], ["up", "net", "NAME"]])
def test_a_failed_add_is_deleted_in_reverse(cniwire: Cniwire, fakes: FakePlugins, command: list[str]) -> None:
    """R-5: DEL is the cleanup after a failed ADD, also for plugins that never ran."""
    fakes.make("first", ADD=REFUSED)
    name = cniwire.name("web")
    message = cniwire(
        *[name if word == "NAME" else word for word in command], status=125 if command[0] == "run" else 1
    )
    assert message.splitlines()[-2:] == ["✘ plugin first failed (ADD): no room", "  disk full"]
    assert fakes.order == ["ADD first", "DEL last", "DEL first"]
    assert (cniwire.cached, named_namespaces(cniwire.mark)) == ([], [])


def test_a_failure_on_the_second_network_takes_off_the_first(cniwire: Cniwire, fakes: FakePlugins) -> None:
    cniwire.network("other", {"type": "bad"}, version="1.1.0")
    fakes.make("bad", ADD=REFUSED)
    cniwire("up", "net,other", cniwire.name("web"), status=1)
    assert fakes.order == ["ADD first", "ADD last", "ADD bad", "DEL bad", "DEL last", "DEL first"]
    assert cniwire.cached == []


def test_errors_for_programs_have_code_message_and_details(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """--json: an error object stands where the result would."""
    fakes.make("last", ADD=REFUSED)
    assert cniwire.json("up", "net", cniwire.name("web"), status=1) == {
        "code": 107,
        "msg": "plugin last failed (ADD): no room",
        "details": "disk full",
    }
    error = cniwire.json("up", "nowhere", cniwire.name("web"), status=3)
    assert error["msg"] == f"no network 'nowhere' in {cniwire.conf}"
    assert error["hint"] == "--conf-dir chooses another directory"


def test_a_plugin_that_hangs_is_a_timeout(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-17: exit code 124, and the namespace goes."""
    fakes.make("first", ADD={"sleep": 60})
    message = cniwire("--timeout", "0.5", "up", "net", cniwire.name("web"), status=124)
    assert "plugin first did not answer within 0.5 s (ADD)" in message
    assert "give it more time with --timeout" in message
    assert named_namespaces(cniwire.mark) == []


def test_a_missing_plugin_says_where_it_was_looked_for(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-13: exit code 4."""
    (fakes.folder / "last").unlink()
    message = cniwire("up", "net", cniwire.name("web"), status=4)
    assert (
        f"✘ plugin 'last' not found\n  searched {fakes.folder}\n"
        "  → name its directory with --plugin-dir or CNI_PATH" in message
    )


def test_ports_that_nobody_would_get_are_refused_before_anything_is_made(
    cniwire: Cniwire, fakes: FakePlugins
) -> None:
    """R-1 seen from the person who asks: exit code 3."""
    message = cniwire("up", "net", cniwire.name("web"), "-p", "8080:80", status=3)
    assert "network net: no plugin declares the capability portMappings" in message
    assert '→ give the plugin that should get it "capabilities": {"portMappings": true}' in message
    assert (fakes.calls, named_namespaces(cniwire.mark)) == ([], [])


def test_arguments_reach_plugins_and_cache(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """CNI_ARGS and capabilities, on ADD and again on DEL."""
    cniwire.network(
        "net", {"type": "first", "capabilities": {"mac": True, "portMappings": True}}, version="1.1.0"
    )
    web = cniwire.name("web")
    cniwire(
        "up",
        "net",
        web,
        "--arg",
        "IgnoreUnknown=1",
        "--arg",
        "K=V",
        "--capability",
        '{"mac": "02:00:00:00:00:01"}',
        "-p",
        "1-2:3-4/udp",
    )
    cniwire("down", web)
    expected = {
        "mac": "02:00:00:00:00:01",
        "portMappings": [{"hostPort": 1, "containerPort": 3, "protocol": "udp", "range": 2}],
    }
    assert [(call.environ["CNI_ARGS"], call.config["runtimeConfig"]) for call in fakes.calls] == [
        ("IgnoreUnknown=1;K=V", expected)
    ] * 2


def test_attaching_twice_is_refused(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """Spec: a runtime must not ADD twice without DEL between."""
    web = cniwire.name("web")
    cniwire("up", "net", web)
    fakes.forget()
    assert f"{web}/eth0 is attached to net already" in cniwire(
        "attach", "net", web, "--ifname", "eth0", status=1
    )
    assert fakes.calls == []


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        ("nobody", "no namespace 'nobody'"),
        ("/etc/passwd", "/etc/passwd is no network namespace"),
        ("/proc/self/ns/mnt", "is no network namespace"),
        ("999999999", "no process 999999999"),
        ("OWN", "is in this very network namespace"),
    ],
)
def test_attach_refuses_what_is_no_other_namespace(
    cniwire: Cniwire, fakes: FakePlugins, subject: str, complaint: str
) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert complaint in cniwire(
            "attach", "net", str(process.pid) if subject == "OWN" else subject, status=1
        )
        process.kill()
    assert fakes.calls == []


def test_dns_of_the_result_is_what_the_command_sees(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """run, and exec; the host's own file stays as it is."""
    dns = {
        "nameservers": ["10.0.0.53"],
        "domain": "example.org",
        "search": ["a", "b"],
        "options": ["ndots:2"],
    }
    fakes.make("last", ADD={"json": {**RESULT, "dns": dns}})
    text = "nameserver 10.0.0.53\ndomain example.org\nsearch a b\noptions ndots:2\n"
    before = Path("/etc/resolv.conf").read_text()
    assert cniwire("run", "net", "--", "cat", "/etc/resolv.conf") == text
    web = cniwire.name("web")
    cniwire("up", "net", web)
    assert cniwire("exec", web, "cat", "/etc/resolv.conf") == text
    assert Path("/etc/resolv.conf").read_text() == before


def test_what_plugins_say_on_stderr_is_shown(cniwire: Cniwire, fakes: FakePlugins) -> None:
    fakes.make("first", ADD={"json": RESULT, "stderr": "mind the gap"})
    with cniwire.popen("up", "net", cniwire.name("web")) as process:
        _, stderr = process.communicate(timeout=30)
    assert "! first ADD: mind the gap" in stderr
