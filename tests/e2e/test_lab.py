"""The private fake host: what it gives its command, and that nothing gets out of it or outlives it."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.checkout import interpreter, reachable

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "import sys; from launcher import lab; sys.exit(lab.main(sys.argv[1:]))"
LAB = [sys.executable, "-c", SCRIPT]


def run(*command: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run *command* in a lab, as *user*."""
    environ = {**os.environ, "PYTHONPATH": str(reachable())}
    line = [interpreter(), "-c", SCRIPT, "--", *command]
    return subprocess.run(line, env=environ, user=user, capture_output=True, text=True, timeout=30)


@pytest.fixture(params=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> str:
    """root, and a user without any rights; an unprivileged lab knows no user but root."""
    name: str = request.param
    if name != "root" and "4294967295" not in Path("/proc/self/uid_map").read_text():
        pytest.skip("the tests run without root, so user namespaces are in use already")
    if subprocess.run([interpreter(), "-c", ""], user=pwd.getpwnam(name).pw_uid).returncode:
        pytest.skip(f"{name} may not execute {interpreter()}")
    return name


def test_a_lab_has_its_own_network_processes_and_directories(user: str) -> None:
    """Loopback is up, the CNI directories are empty, `ip netns` works, the command is process 2 and root."""
    network = "ip -brief link; ip netns add x; ip netns"
    script = f"{network}; ls -A /var/lib/cni /etc/cni; hostname; id -u; echo $$ $CNIWIRE_LAB"
    done = run("sh", "-c", script, user=user)
    link = "lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> "
    assert (done.stdout.splitlines(), done.stderr) == (
        [link, "x", "/etc/cni:", "", "/var/lib/cni:", "lab", "0", "2 1"],
        "",
    )


def test_a_lab_leaves_the_machine_as_it_was(user: str) -> None:
    """What is made in /run/netns, /var/lib/cni, /etc/cni and the network does not exist outside."""
    before = listings()
    files = "touch /run/leak /var/lib/cni/leak /etc/cni/leak /dev/shm/leak"
    script = f"ip netns add leak && {files} && ip link add leak type bridge"
    done = run("sh", "-c", script, user=user)
    assert (done.returncode, done.stderr) == (0, "")
    assert listings() == before


def listings() -> dict[str, list[str]]:
    """Return what is in the directories that a lab makes private, those that exist, and the links."""
    watched = (
        "/run",
        "/run/netns",
        "/var/lib",
        "/var/lib/cni",
        "/etc",
        "/etc/cni",
        "/dev/shm",
        "/sys/class/net",
    )
    return {path: sorted(os.listdir(path)) for path in watched if os.path.isdir(path)}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -TERM $$"), 128 + signal.SIGTERM),
        (("/etc",), 126),
        (("no-such-command",), 127),
    ],
)
def test_the_exit_code_is_the_commands(command: tuple[str, ...], code: int) -> None:
    assert run(*command).returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_lab_that_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    """A signal to the lab ends its command and all background processes, also those in own sessions."""
    beat = tmp_path / "beat"
    script = f"setsid sh -c 'while :; do echo >> {beat}; sleep 0.02; done' & sleep 60"
    process = subprocess.Popen([*LAB, "--", "sh", "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    wait_until(beat.exists)
    process.send_signal(number)
    process.wait(timeout=10)
    wait_until(lambda: is_still(beat))


def wait_until(condition: Callable[[], bool], timeout_s: float = 5) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_still(file: Path) -> bool:
    """Tell whether *file* stopped growing."""
    size = file.stat().st_size
    time.sleep(0.2)
    return file.stat().st_size == size


def test_a_lab_works_inside_a_lab() -> None:
    """Nested, as the tests themselves are: the inner one starts empty."""
    done = run(
        "sh", "-c", f'ip netns add outer; PYTHONPATH={ROOT} exec "$@"', "sh", *LAB, "--", "ls", "/run/netns"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Without this capability a user namespace is needed.
LACKING = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


@pytest.mark.parametrize(
    ("setting", "wrapper", "says"),
    [
        (
            "max_user_namespaces",
            LACKING,
            "No space left on device, because user.max_user_namespaces is 0 here: set another value",
        ),
        (
            "max_net_namespaces",
            [],
            "No space left on device, because user.max_net_namespaces is 0 here: set another value",
        ),
        (
            "max_pid_namespaces",
            LACKING,
            "No space left on device, because user.max_pid_namespaces is 0 here: set another value",
        ),
    ],
)
def test_a_lab_that_cannot_be_says_which_setting_forbids_it(
    setting: str, wrapper: list[str], says: str
) -> None:
    """In a user namespace of its own, which has limits of its own."""
    script = f'echo 0 > /proc/sys/user/{setting}; exec "$@"'
    line = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *wrapper, *LAB, "--", "true"]
    done = subprocess.run(
        line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (125, f"cniwire lab: cannot create namespaces: {says}\n")
