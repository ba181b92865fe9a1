"""A Kubernetes cluster of fake hosts on one wire, whose containers run as the manifests say.

What a kubelet does with a pod of the host's network is done here with what stands in conf/kubernetes:
command, environment, volumes, capabilities, a root that cannot be written. So what is tested is what is
applied.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.harness.api_server import ApiServer
from tests.harness.host import Container, Host
from tests.harness.kubelet import IN_IMAGE, IN_SYSTEM, NAMESPACES, READ_ONLY, ROOT, of_the_machine
from tests.harness.namespace import Namespace
from tests.harness.network import Network

MANIFESTS = ROOT / "conf" / "kubernetes"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PATIENCE_S = 20
API = "192.0.2.250"


def manifest(name: str, kind: str) -> dict[str, Any]:
    """The object of a kind in a file of conf/kubernetes."""
    found = yaml.safe_load_all((MANIFESTS / name).read_text())
    return dict(next(each for each in found if each["kind"] == kind))


def until(done: Callable[[], Any], what: str) -> Any:
    """Wait until *done* returns something true. Raises AssertionError."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class Node:
    """A machine of the cluster: a host on the wire, its file system below a folder, and its agent."""

    def __init__(self, cluster: "Cluster", number: int) -> None:
        self.cluster, self.number, self.name = cluster, number, f"node{number}"
        self.folder = cluster.folder / self.name
        self.host = Host(cluster.plugins, self.folder)
        self.files = self.folder / "files"
        data = self.files / "var/lib/cni"
        data.mkdir(parents=True)
        own_data = f"mount --bind {data} /var/lib/cni && exec {{}}"  # plugins have the reservations there
        if cluster.image:
            self.host.plugins = self.files / "opt/cni/bin"
        self.host.plugins = self.host.wrapped(f"unshare --mount --propagation=slave sh -c '{own_data}'")
        self.account = self.folder / "account"
        self.account.mkdir()
        (self.account / "ca.crt").write_bytes((cluster.folder / "ca.crt").read_bytes())
        self.token("first")
        self.log = self.folder / "log"
        self.log.touch()
        self.agent: subprocess.Popen[bytes] | None = None
        self.wired: dict[str, Network] = {}
        self.networks = [f"10.244.{number}.0/24", f"fd00:10:244:{number}::/64"]
        self.addresses = [f"192.0.2.{number}", f"2001:db8:ff::{number}"]
        self.conflist = self.files / "etc/cni/net.d/10-cniwire.conflist"
        cluster.plug(self.host, *[f"{a}/{n}" for a, n in zip(self.addresses, (24, 64))])

    def token(self, text: str) -> None:
        """What kubelet does when it rotates the token."""
        (self.account / "new").write_text(text + "\n")
        (self.account / "new").rename(self.account / "token")

    def join(self) -> None:
        """Become a Node of the API."""
        self.cluster.api.put(self.name, self.networks, self.addresses)

    def start(self, file: str = "daemonset.yaml") -> None:
        """Start the container of a DaemonSet, the agent; of an image, after its init containers."""
        pod = manifest(file, "DaemonSet")["spec"]["template"]["spec"]
        for first in pod["initContainers"] if self.cluster.image else ():
            with self.log.open("ab") as log, self.host.entered():
                done = subprocess.run(
                    self.kubelet(pod, first), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            assert done.returncode == 0, self.said()
        (container,) = pod["containers"]
        with self.log.open("ab") as log, self.host.entered():
            self.agent = subprocess.Popen(
                self.kubelet(pod, container), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self) -> int:
        """SIGTERM to the agent; its exit code. Process 1 does not notice one before it has a handler."""
        assert self.agent
        deadline = time.monotonic() + PATIENCE_S
        while self.agent.poll() is None:
            assert time.monotonic() < deadline, self.said()
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
            time.sleep(0.1)
        return int(self.agent.returncode)

    def processes(self) -> list[int]:
        """The numbers of the agent's processes, as seen from here."""
        assert self.agent
        children = Path(f"/proc/{self.agent.pid}/task/{self.agent.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def probe(self) -> int:
        """The exit code of the agent's readinessProbe, executed in a container like its own."""
        pod = manifest("daemonset.yaml", "DaemonSet")["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        asking = {**container, "name": "probe", "command": container["readinessProbe"]["exec"]["command"]}
        with self.host.entered():
            return subprocess.run(self.kubelet(pod, asking), capture_output=True).returncode

    def kubelet(self, pod: dict[str, Any], container: dict[str, Any]) -> list[str]:
        """The command that makes a container as kubelet and its runtime would, and becomes it."""
        assert pod["hostNetwork"]
        rights, root = container["securityContext"], self.folder / f"root-{container['name']}"
        root.mkdir(exist_ok=True)
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert not rights["allowPrivilegeEscalation"]
        lines = ["set -e", f"root={shlex.quote(str(root))}", "mount -t tmpfs -o mode=755 tmpfs $root"]
        lines += (
            [f"cp -a {self.cluster.image}/. $root/"]
            if self.cluster.image
            else of_the_machine(self.cluster.plugins)
        )
        lines += ["mkdir -p $root/proc $root/dev $root/etc $root/tmp"]
        lines += ["mount -t proc proc $root/proc; mount --rbind /dev $root/dev"]
        for source, target, is_read_only in self._mounts(pod, container):
            lines.append(f"mkdir -p $root{target}; mount --bind {source} $root{target}")
            lines += [READ_ONLY.format(f"$root{target}")] if is_read_only else []
        held = ",".join(rights["capabilities"].get("add", ()))
        environ = " ".join(f"{key}={shlex.quote(value)}" for key, value in self._environ(container).items())
        assert container["command"][0] == "cniwire"
        command = shlex.join([*self.cluster.launcher, *container["command"][1:]])
        contained = shlex.join([sys.executable, str(ROOT / "tests" / "harness" / "contained.py")])
        lines += [
            READ_ONLY.format("$root"),
            f"exec env -i {environ} {contained} $root {shlex.quote(held)} {command}",
        ]
        return ["unshare", *NAMESPACES, "sh", "-c", "\n".join(lines)]

    def _mounts(self, pod: dict[str, Any], container: dict[str, Any]) -> list[tuple[Path, str, bool]]:
        """(source, target, read-only?) of each volume, made if need be; the service account's, too."""
        volumes = {each["name"]: each for each in pod["volumes"]}
        found = []
        for each in container["volumeMounts"]:
            volume = volumes[each["name"]]
            if "hostPath" in volume:
                source = self.files / volume["hostPath"]["path"].lstrip("/")
                source.mkdir(parents=True, exist_ok=True)
            elif "configMap" in volume:
                source = self.cluster.config
            else:
                assert "emptyDir" in volume
                source = self.folder / f"empty-{each['name']}"
                source.mkdir(exist_ok=True)
            found.append((source, each["mountPath"], bool(each.get("readOnly"))))
        if pod.get("automountServiceAccountToken", True):
            found.append((self.account, ACCOUNT, True))
        return found

    def _environ(self, container: dict[str, Any]) -> dict[str, str]:
        values = {
            "KUBERNETES_SERVICE_HOST": API,
            "KUBERNETES_SERVICE_PORT": str(ApiServer.port),
            **(IN_IMAGE if self.cluster.image else IN_SYSTEM),
        }
        for each in container.get("env", ()):
            assert each["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
            values[each["name"]] = self.name
        return values

    def said(self) -> str:
        """The log of the agent."""
        return self.log.read_text()

    def says(self, words: str, times: int = 1) -> None:
        """Wait until the log has *words*. Raises AssertionError with the log."""
        deadline = time.monotonic() + PATIENCE_S
        while self.said().count(words) < times:
            assert time.monotonic() < deadline, f"{words!r} is not in:\n{self.said()}"
            time.sleep(0.05)

    def routes(self) -> dict[str, str]:
        """Our routes as `ip route` has them: destination to gateway."""
        found = [each for family in (4, 6) for each in self.host.ip(f"-{family} route show proto 67")]
        return {each["dst"]: each["gateway"] for each in found}

    def has_routes(self, *nodes: "Node") -> None:
        """Wait until our routes are those to *nodes*. Raises AssertionError."""
        wanted = {net: gw for node in nodes for net, gw in zip(node.networks, node.addresses)}
        deadline = time.monotonic() + PATIENCE_S
        while self.routes() != wanted:
            assert time.monotonic() < deadline, f"want {wanted}, found {self.routes()}; {self.said()}"
            time.sleep(0.05)

    def network(self) -> Network:
        """The configuration that is there, as a runtime has it."""
        until(self.conflist.exists, self.said())
        made = json.loads(self.conflist.read_text())
        return self.host.network(*made["plugins"], name=made["name"], version=made["cniVersion"])

    def pod(self, name: str) -> tuple[Container, list[str]]:
        """Make a pod as a runtime does, by the configuration that is there; its addresses without prefix."""
        network, container = self.network(), self.host.container(f"{self.name}-{name}")
        with self.host.entered():
            network.add(container)
        self.wired[container.name] = network
        return container, [each.partition("/")[0] for each in container.addresses("eth0")]

    def end(self, pod: Container) -> None:
        """End a pod, by the configuration by which it was made."""
        with self.host.entered():
            self.wired.pop(pod.name).delete(pod)

    def close(self) -> None:
        if self.agent:
            self.agent.kill()
            self.agent.wait()
        self.host.close()
        for namespace in self.host.children:
            namespace.close()


class Cluster:
    """Machines on one wire, with an API server.

    image: folder of an image's root, of which containers are made, and the plugins installed; None to run the
    launcher and the plugins under test.
    """

    def __init__(self, plugins: Path, folder: Path, image: Path | None = None) -> None:
        self.plugins, self.folder, self.image = plugins, folder, image
        bundled = plugins / "cniwire"
        self.launcher = [str(bundled)] if bundled.exists() else [sys.executable, "-m", "launcher"]
        self.launcher = ["cniwire"] if image else self.launcher
        self.wire = Namespace(folder / "netns" / "wire")
        self.wire.run("ip link add wire up type bridge")
        self.master = Namespace(folder / "netns" / "master")
        self.plug(self.master, f"{API}/24")
        self.config = folder / "config"
        self.config.mkdir()
        for name, text in manifest("conflist.yaml", "ConfigMap")["data"].items():
            (self.config / name).write_text(text)
        self.api = ApiServer(self.master, API, folder)
        self.api.start()
        self.nodes: list[Node] = []

    def plug(self, namespace: Namespace, *addresses: str, name: str = "uplink") -> None:
        """A cable from *name* in a namespace to the wire."""
        port = f"p{len(self.wire.links())}"
        self.wire.run(f"ip link add {port} up master wire type veth peer name {name} netns {namespace.path}")
        namespace.run(f"ip link set {name} up")
        for address in addresses:
            namespace.run(f"ip address add {address} dev {name} {'nodad' if ':' in address else ''}")

    def node(self, *, joins: bool = True, starts: bool = True) -> Node:
        """One machine more, with its agent, and a Node of the API."""
        node = Node(self, len(self.nodes) + 1)
        self.nodes.append(node)
        if joins:
            node.join()
        if starts:
            node.start()
        return node

    def close(self) -> None:
        for node in self.nodes:
            node.close()
        self.api.stop()
        for namespace in (self.master, self.wire):
            namespace.close()


def state(node: Node) -> Any:
    """The agent's file of state."""
    return json.loads((node.folder / "empty-state" / "state").read_text())
