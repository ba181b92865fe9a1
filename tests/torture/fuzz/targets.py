"""What `make fuzz` calls with random inputs: plugins on fake or spoiled kernels, and single decoders."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from core.cni import delegate
from core.cni.protocol import respond
from ipam import host_local, static
from plugins import bandwidth, bridge, firewall, loopback, portmap, tuning
from tests.harness.requests import BIN, SIBLINGS
from tests.torture.fuzz import decoders
from tests.torture.fuzz.inputs import CHAINED, Inputs
from tests.torture.fuzz.reservations import files
from tests.torture.fuzz.scratch import UNFORESEEN, Bench, Broken, judge
from tests.torture.fuzz.wire import Recorder, Wire, Wired

PLUGINS: dict[str, Any] = {
    "bridge": bridge,
    "portmap": portmap,
    "bandwidth": bandwidth,
    "firewall": firewall,
    "loopback": loopback,
    "host-local": host_local,
    "static": static,
    "tuning": tuning,
}
OF_RECORDS = tuple(kind for kind in PLUGINS if kind != "loopback")  # which asks the socket itself
VERBS = ("ADD", "ADD", "ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION")
# The variables of a call that meets a kernel, in our own namespace.
REAL = {
    "CNI_CONTAINERID": "c1",
    "CNI_IFNAME": "eth9",
    "CNI_NETNS": "/proc/self/ns/net",
    "CNI_NETNS_OVERRIDE": "1",
    "CNI_PATH": str(BIN),
}
GOING_ON = ("DEL", "GC")  # they do what they can, and then report
Target = Callable[[Bench, Inputs], None]


def protocol(bench: Bench, inputs: Inputs) -> None:
    """A plugin with a spoiled configuration, result and environment, on a fake kernel."""
    kind = inputs.one(OF_RECORDS)
    command = inputs.one(VERBS) if inputs.chance(0.98) else inputs.text()
    config = inputs.config("networks", kind)
    if command in ("CHECK", "DEL") or kind in CHAINED or inputs.chance(0.05):
        config["prevResult"] = bench.result
    if command == "GC":
        valid = [{"containerID": inputs.one(("c0", "c1")), "ifname": "eth0"} for _ in inputs.some(2)]
        config["cni.dev/valid-attachments"] = valid
    config = inputs.spoiled(config, inputs.one((0, 0, 1, 1, 2, 4)))
    stdin = inputs.document(config)
    environ = inputs.environ(command, str(BIN))
    bench.reset()
    before = bench.state()
    answer = respond(PLUGINS[kind], environ, lambda: stdin, SIBLINGS, bench.world.kernel)
    judge(environ.get("CNI_COMMAND", ""), answer)
    keeps = answer[0] and command not in GOING_ON or command in ("CHECK", "STATUS", "VERSION")
    if keeps and bench.state() != before:
        raise Broken(f"{command} ended with {answer[1][:200]!r} and changed the state")


def delegation(bench: Bench, inputs: Inputs) -> None:
    """bridge with an IPAM plugin that prints anything and ends anyhow."""
    command = inputs.one(VERBS[:-1])
    version = inputs.one(("1.1.0", "1.0.0", "0.4.0", "0.3.1", "0.2.0", ""))
    config = {**bench.config, "cniVersion": version, "ipam": {"type": "fake"}, "prevResult": bench.result}
    outputs, error_code = printed(inputs)
    codes = [inputs.one((0, 0, 0, 1, -9, 255)) for _ in range(2)]
    bench.reset()
    before = bench.state()
    before_call = delegate._executed, delegate.find
    delegate._executed = lambda *_: (codes.pop(), outputs.pop(), inputs.blob(4)) if codes else (0, b"", b"")
    delegate.find = lambda *_: "/nowhere/fake"
    try:
        variables = {**inputs.environ(command, str(BIN)), "CNI_COMMAND": command}
        answer = respond(bridge, variables, lambda: json.dumps(config).encode(), {}, bench.world.kernel)
    finally:
        delegate._executed, delegate.find = before_call
    document = judge(command, answer, ("",) if error_code == UNFORESEEN else ())
    if command == "ADD" and not answer[0] and not any(document.get(key) for key in ("ips", "ip4", "ip6")):
        raise Broken(f"success without an address: {answer[1]!r}")
    if answer[0] and command == "ADD" and bench.state() != before:
        raise Broken(f"{command} ended with {answer[1][:200]!r} and changed the state")


def printed(inputs: Inputs) -> tuple[list[bytes], int]:
    """What an IPAM plugin prints in two calls, and the code of the error that may be among it."""
    address = {
        "address": inputs.one(("10.1.0.7/24", "fd01::7/64")),
        "gateway": inputs.one(("10.1.0.1", "fd01::1")),
    }
    route = {"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1400, "table": 7}
    usual: dict[str, Any] = {
        "cniVersion": inputs.one(("1.1.0", "0.4.0", "0.2.0", "")),
        "ips": [address],
        "routes": [route],
        "dns": {"domain": "x"},
    }
    older: dict[str, Any] = {
        "ip4": {"ip": "10.1.0.7/24", "gateway": "10.1.0.1", "routes": [{"dst": "10.0.0.0/8"}]},
        "ip6": {"ip": "fd01::7/64"},
    }
    code: int = inputs.one((0, 1, 11, 103, 999, -1, 2**40))
    error = {"code": code, "msg": inputs.text(), "details": inputs.text()}
    forms = (usual, usual, older, error)
    return [inputs.document(inputs.spoiled(inputs.one(forms), inputs.below(4))) for _ in range(2)], code


def replies(bench: Bench, inputs: Inputs) -> None:
    """loopback, bridge, and what is chained behind it: the real codec, on a kernel that says anything."""
    command = inputs.one(VERBS[:-1])
    config: dict[str, Any] = dict(inputs.one(bench.requests))
    config |= {"prevResult": bench.result, "cni.dev/valid-attachments": []}
    config |= {key: True for key in ("promiscMode", "enabledad", "isDefaultGateway") if inputs.chance(0.1)}
    config |= {"vlan": 100} if inputs.chance(0.1) else {}
    bench.reset()
    with Wired(lambda number: Wire(inputs, bench.payloads, number)):
        variables = {**REAL, "CNI_COMMAND": command}
        answer = respond(PLUGINS[config["type"]], variables, lambda: json.dumps(config).encode(), SIBLINGS)
    # A torn reply, and none where there is always one.
    judge(command, answer, ("ValueError: want ", "IndexError: list index"))


def record(bench: Bench) -> None:
    """Collect what the real kernel replies to a few calls."""
    result: Any = bench.result
    with Recorder() as recorder:
        for config in bench.requests:
            for command in ("ADD", "CHECK", "STATUS"):
                stdin = json.dumps({**config, "prevResult": result, "forceAddress": True}).encode()
                variables = {**REAL, "CNI_COMMAND": command}
                code, output = respond(
                    PLUGINS[str(config["type"])], variables, partial(bytes, stdin), SIBLINGS
                )
                if command == "ADD" and not code:
                    result = json.loads(output)
    bench.payloads = recorder.payloads


def decoding(bench: Bench, inputs: Inputs) -> None:
    """Each decoder of netlink replies by itself, and the parsers of text."""
    decoders.decode(inputs, bench.payloads)


# The targets, and the part of all inputs that each gets.
TARGETS: dict[str, tuple[Target, float]] = {
    "protocol": (protocol, 0.25),
    "delegation": (delegation, 0.15),
    "files": (files, 0.1),
    "replies": (replies, 0.15),
    "decoding": (decoding, 0.35),
}
