"""A real runtime: the distribution's Podman, unmodified, runs containers on our plugins.

Podman's own files are told to stay below the test's folder, so tests may run beside each other; crun wants
any tmpfs where cgroups would be. A container of an unprivileged lab cannot mount a devpts with the usual
group 5, so it borrows /dev/pts everywhere.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.lab import mount
from tests.harness.host import Host
from tests.harness.traffic import ask_http, ping

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = Path("/usr/lib/cni")
BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "httpd", "ip", "ping", "sleep", "wget")

CONTAINERS_CONF = """
[containers]
cgroups = "disabled"
default_sysctls = []
log_driver = "k8s-file"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "crun"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "cni"
CNI_PLUGIN_DIRS
network_config_dir = "{folder}/net.d"
default_network = "wired"
"""
STORAGE_CONF = """
[storage]
driver = "vfs"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("podman") and shutil.which("crun")), reason="podman and crun are not installed"
)


class Podman:
    """The podman command with files of its own and one CNI network, `wired`."""

    def __init__(self, host: Host, plugins: Path):
        self.folder = host.folder / "podman"
        (self.folder / "net.d").mkdir(parents=True)
        (self.folder / "home").mkdir()
        directories = readme_line().replace("/opt/cni/bin", str(plugins))
        for name, text in (
            ("containers.conf", CONTAINERS_CONF.replace("CNI_PLUGIN_DIRS", directories)),
            ("storage.conf", STORAGE_CONF),
        ):
            (self.folder / name).write_text(text.format(folder=self.folder, plugins=plugins))
        conflist = {"cniVersion": "1.0.0", "name": "wired", "plugins": chain(host.data)}
        (self.folder / "net.d" / "10-wired.conflist").write_text(json.dumps(conflist))

    def start(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": f"{self.folder}/home",
            "XDG_RUNTIME_DIR": f"{self.folder}/run",
            "CONTAINERS_CONF": f"{self.folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf",
        }
        return subprocess.run(["podman", *arguments], env=environ, capture_output=True, text=True, timeout=60)

    def __call__(self, *arguments: str) -> str:
        """Run podman, return what it prints. Raises AssertionError with its stderr when it fails."""
        done = self.start(*arguments)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def obstacle(self) -> str:
        """What it says if it was built without CNI, as newer ones are; else nothing."""
        said = self.start("network", "ls").stderr.strip().rpartition("\n")[2]
        return said if "cni support is not enabled" in said else ""

    def image(self) -> None:
        """Make the image `localhost/box` of busybox alone; its /index.html says `hello`."""
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin" / "busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        (root / "index.html").write_text("hello")
        subprocess.run(["tar", "-C", root, "-cf", self.folder / "box.tar", "."], check=True)
        self("import", "--quiet", f"{self.folder}/box.tar", "localhost/box")

    def run(self, name: str, *options: str, command: str) -> None:
        """Start a container in the background."""
        self(
            "run",
            "--detach",
            "--name",
            name,
            "--volume",
            "/dev/pts:/dev/pts",
            *options,
            "localhost/box",
            *command.split(),
        )


def readme_line() -> str:
    """What README says that has to stand in containers.conf."""
    found = re.search(r"`\[network\] (cni_plugin_dirs = \[.*\])`", (ROOT / "README.md").read_text())
    assert found
    return found[1]


def chain(data: Path) -> list[dict[str, object]]:
    """Return the plugins of the network: a bridge with addresses, and published ports."""
    ipam = {
        "type": "host-local",
        "dataDir": str(data),
        "ranges": [[{"subnet": "10.88.7.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return [
        {
            "type": "bridge",
            "bridge": "cni7",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": ipam,
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]


@pytest.fixture(params=["tested", "distribution"])
def podman(request: pytest.FixtureRequest, host: Host) -> Iterator[Podman]:
    """Podman on the executables under test, and on the distribution's, which proves the recipe."""
    folder = host.plugins if request.param == "tested" else DISTRIBUTION
    if not (folder / "bridge").exists():
        pytest.skip(f"there is no {folder}/bridge")
    if not os.path.ismount("/sys/fs/cgroup"):
        mount("tmpfs", "/sys/fs/cgroup", "tmpfs")
    started = Podman(host, folder)
    if lacks := started.obstacle():
        pytest.skip(f"podman: {lacks}")
    started.image()
    yield started
    started("rm", "--force", "--all", "--time", "0")


def test_podman_runs_containers_that_talk_and_leave_nothing(podman: Podman, host: Host) -> None:
    """A port answers, gateway, neighbour and outside are reached.

    `rm -f` leaves no link, element, namespace or reservation.
    """
    outside = host.outside()
    # The first container makes what is shared: bridge, tables, chains.
    podman.run("first", "--publish", "8081:80", command="sleep 60")
    podman("rm", "--force", "--time", "0", "first")
    before = host.state()

    podman.run("web", "--publish", "8080:80", command="httpd -f -p 80 -h /")
    podman.run("peer", command="sleep 60")
    assert "10.88.7.3/24" in podman("exec", "web", "ip", "address", "show", "eth0")
    assert podman("exec", "peer", "ping", "-c1", "-W2", "10.88.7.1")
    assert podman("exec", "peer", "wget", "-qO-", "http://10.88.7.3/index.html") == "hello"
    assert podman("exec", "peer", "wget", "-qO-", "http://10.88.7.1:8080/index.html") == "hello"
    assert podman("exec", "peer", "ping", "-c1", "-W2", "192.0.2.2")
    assert ping(host, "10.88.7.3") is not None
    assert ask_http(host, "127.0.0.1", 8080, "/index.html") == "hello"
    assert ask_http(outside, "192.0.2.1", 8080, "/index.html") == "hello"

    sandboxes = podman("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", "web", "peer").split()
    assert [Path(path).exists() for path in sandboxes] == [True, True]  # /run/netns, or below XDG_RUNTIME_DIR
    podman("rm", "--force", "--time", "0", "web", "peer")
    assert host.state() == before
    assert [path for path in sandboxes if Path(path).exists()] == []


def test_a_network_that_podman_makes_itself_works(podman: Podman, host: Host) -> None:
    """README's recipe: `podman network create` names plugins that come from the distribution's directory."""
    podman("network", "create", "--subnet", "10.88.9.0/24", "made")
    podman.run("web", "--network", "made", "--publish", "8080:80", command="httpd -f -p 80 -h /")
    assert "10.88.9." in podman("exec", "web", "ip", "address", "show", "eth0")
    assert ask_http(host, "127.0.0.1", 8080, "/index.html") == "hello"
    podman("rm", "--force", "--time", "0", "web")


def test_a_container_on_two_networks_publishes_its_port_on_both(podman: Podman, host: Host) -> None:
    """Podman hands the same portMappings to every network; the port answers until the last one is left."""
    second = chain(host.data)
    second[0] |= {
        "bridge": "cni8",
        "ipam": {"type": "host-local", "dataDir": str(host.data), "ranges": [[{"subnet": "10.88.8.0/24"}]]},
    }
    conflist = {"cniVersion": "1.0.0", "name": "other", "plugins": second}
    (podman.folder / "net.d" / "20-other.conflist").write_text(json.dumps(conflist))
    podman.run("web", "--network", "wired,other", "--publish", "8080:80", command="httpd -f -p 80 -h /")
    assert ask_http(host, "127.0.0.1", 8080, "/index.html") == "hello"
    podman("network", "disconnect", "wired", "web")
    assert ask_http(host, "127.0.0.1", 8080, "/index.html") == "hello"
    podman("network", "connect", "wired", "web")
    podman("network", "disconnect", "other", "web")
    assert ask_http(host, "127.0.0.1", 8080, "/index.html") == "hello"
    podman("rm", "--force", "--time", "0", "web")
    assert "8080" not in host.run("nft list ruleset")
