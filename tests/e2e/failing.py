"""A call for every error code: what docs/troubleshooting.md shows is what these print.

The container is called `web`, the network `net`; paths are told as on a node (see `told`).
"""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from core import errors
from core.cni.protocol import respond
from tests.harness.configs import PORTMAP, bridge, host_local, mapping
from tests.harness.host import Host
from tests.harness.plugin import Answer, PluginError

SINCE = re.compile(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
NODE = "since 2026-01-01 12:00:00 UTC"
SUBNET = "10.1.0.0/29"


def told(host: Host, answer: Answer) -> dict[str, Any]:
    """The error, with the paths of a node in place of the test's."""
    text = SINCE.sub(NODE, json.dumps(answer.output))
    places = {
        str(host.data): "/var/lib/cni/networks",
        str(host.folder / "netns"): "/run/netns",
        str(host.folder / "ipam"): "/opt/cni/bin",
        str(host.plugins): "/opt/cni/bin",
    }
    for place, shown in places.items():
        text = text.replace(place, shown)
    found = json.loads(text)
    return {key: found[key] for key in ("code", "msg", "details") if key in found}


def config(host: Host, **keys: Any) -> dict[str, Any]:
    """A bridge as the network `net` has it."""
    made = bridge(host.data, SUBNET, bridge="cni0", **keys)
    return {"cniVersion": "1.1.0", "name": "net", **made}


def refused(host: Host, *plugins: dict[str, Any], **capabilities: Any) -> Answer:
    """The answer of ADD, which fails, of a list."""
    try:
        host.network(*plugins).add(host.container("web"), **capabilities)
    except PluginError as error:
        return error.answer
    raise AssertionError("ADD succeeded")


def version(host: Host) -> Answer:
    return host.call("ADD", {**config(host), "cniVersion": "2.0.0"}, host.container("web"))


def backend(host: Host) -> Answer:
    portmap = {"backend": "nftables", "conditionsV4": ["-s", "192.0.2.0/24"], **PORTMAP}
    return refused(host, bridge(host.data, SUBNET), portmap, portMappings=[mapping(8080)])


def environment(host: Host) -> Answer:
    return host.call("ADD", config(host), host.container("web"), ifname=None)


def unreadable(host: Host) -> Answer:
    """In process: standard input that is closed is /dev/null to a plugin."""

    def closed() -> bytes:
        raise OSError(9, "Bad file descriptor")

    return in_process("ADD", closed)


def undecodable(host: Host) -> Answer:
    return host.call("ADD", b'{"name": net}', host.container("web"), type_name="bridge")


def contradiction(host: Host) -> Answer:
    return host.call("ADD", config(host, mtu="1400"), host.container("web"))


def own_namespace(host: Host) -> Answer:
    return host.call("ADD", config(host), host.container("web"), CNI_NETNS="/proc/self/ns/net")


def hung(host: Host) -> Answer:
    folder = host.ipam("[ $CNI_COMMAND != ADD ] || exec sleep 9")
    asked = {**config(host, ipam={"type": "fake"}), "timeoutSeconds": 1}
    return host.call("ADD", asked, host.container("web"), CNI_PATH=str(folder))


def not_available(host: Host) -> Answer:
    return host.call("STATUS", config(host, ipam={"type": "dhcpd"}))


def kernel(host: Host) -> Answer:
    ipam = host_local(host.data, SUBNET, routes=[{"dst": "192.0.2.0/24", "gw": "10.2.0.1"}])
    return refused(host, config(host, ipam=ipam))


def differences(host: Host) -> Answer:
    network, container = host.network(config(host)), host.container("web")
    network.add(container)
    container.run("ip address flush dev eth0")
    try:
        network.check(container)
    except PluginError as error:
        return error.answer
    raise AssertionError("CHECK succeeded")


def attached(host: Host) -> Answer:
    network, container = host.network(config(host)), host.container("web")
    network.add(container)
    return host.call("ADD", config(host), container, ifname="eth0")


def exhausted(host: Host) -> Answer:
    network = host.network(config(host))
    for number in range(5):
        network.add(host.container(f"c{number}"))
    return refused(host, config(host))


def reserved(host: Host) -> Answer:
    asked = config(host, capabilities={"ips": True})
    host.network(asked).add(host.container("db"), ips=["10.1.0.5"])
    return refused(host, asked, ips=["10.1.0.5"])


def port(host: Host) -> Answer:
    network = host.network(config(host), PORTMAP)
    network.add(host.container("db"), portMappings=[mapping(8080)])
    return refused(host, config(host), PORTMAP, portMappings=[mapping(8080)])


def delegate(host: Host) -> Answer:
    return refused(host, config(host, ipam={"type": "dhcpd"}))


def store(host: Host) -> Answer:
    host.data.write_text("")
    return refused(host, config(host))


def gateway(host: Host) -> Answer:
    host.run("ip link add cni0 type bridge")
    host.run("ip address add 10.9.0.1/24 dev cni0")
    host.run("ip link set cni0 up")
    return refused(host, config(host))


def unforeseen(host: Host) -> Answer:
    return in_process("STATUS", lambda: json.dumps(config(host)).encode())


def in_process(command: str, stdin: Callable[[], bytes]) -> Answer:
    """The answer of a plugin that has a fault, called in this process."""

    def fault(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    commands = {"ADD": fault, "STATUS": fault}
    plugin = SimpleNamespace(NAME="bridge", VERSIONS=("1.1.0",), COMMANDS=commands, ENTERS=True)
    paths = {"CNI_NETNS": "/run/netns/web", "CNI_PATH": "/opt/cni/bin"}
    environ = {"CNI_COMMAND": command, "CNI_CONTAINERID": "web", "CNI_IFNAME": "eth0", **paths}
    code, output = respond(plugin, environ, stdin)
    return Answer(code, json.loads(output), "")


CALLS: dict[int, Callable[[Host], Answer]] = {
    errors.INCOMPATIBLE_VERSION: version,
    errors.UNSUPPORTED_FIELD: backend,
    errors.INVALID_ENVIRONMENT: environment,
    errors.IO_FAILURE: unreadable,
    errors.DECODING_FAILURE: undecodable,
    errors.INVALID_CONFIG: contradiction,
    errors.INVALID_NETNS: own_namespace,
    errors.TRY_AGAIN_LATER: hung,
    errors.NOT_AVAILABLE: not_available,
    errors.KERNEL_REFUSED: kernel,
    errors.CHECK_FAILED: differences,
    errors.INTERFACE_EXISTS: attached,
    errors.ADDRESSES_EXHAUSTED: exhausted,
    errors.ADDRESS_UNAVAILABLE: reserved,
    errors.PORT_TAKEN: port,
    errors.DELEGATE_FAILED: delegate,
    errors.STORE_FAILED: store,
    errors.GATEWAY_CONFLICT: gateway,
    errors.INTERNAL: unforeseen,
}
# In the specification's table, and printed by none of ours.
NEVER = (errors.UNKNOWN_CONTAINER, errors.LIMITED_CONNECTIVITY)
