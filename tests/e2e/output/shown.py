"""Containers with long IDs, pods and many ports, and what `cniwire` shows of them."""

from tests.harness.cniwire import Cniwire

LONG = "3f2a1b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708"
TWIN = "3f2a1b4c5d6eff8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708"  # as Docker would show it, the same
POD = ("--arg", "K8S_POD_NAMESPACE=default", "--arg", "K8S_POD_NAME=web-0", "--arg", "IgnoreUnknown=1")
PORTS = [
    option
    for first in (8000, 8100, 8200)
    for option in ("-p", f"192.0.2.1:{first}-{first + 9}:{first}-{first + 9}/udp")
]


def split(cniwire: Cniwire, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in a pipe."""
    with cniwire.popen(*arguments, env=cniwire.environ() | settings) as process:
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def attach(cniwire: Cniwire, container_id: str, *options: str) -> str:
    """A named namespace, wired under another container ID, as a runtime does; its name."""
    name = cniwire.name(container_id[:14])
    cniwire.host.run(f"ip netns add {name}")
    cniwire("attach", "demo", name, "--id", container_id, *options)
    return name
