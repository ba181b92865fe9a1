"""The part of Kubernetes' Container Runtime Interface that makes and removes pods, as kubelet calls it.

The messages are protocol buffers, written here as plain dicts of field number -> value; the numbers are those
of `runtime.v1`. A field's value is a text or bytes, a number, a message (dict), or a list of these.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import grpc

TIMEOUT_S = 30
VARINT, LENGTH = 0, 2  # wire types

# RunPodSandboxRequest, PodSandboxConfig, PodSandboxMetadata, PortMapping
CONFIG = 1
METADATA, HOSTNAME, LOG_DIRECTORY, PORT_MAPPINGS, ANNOTATIONS, LINUX = 1, 2, 3, 5, 7, 8
NAME, UID, NAMESPACE = 1, 2, 3
CONTAINER_PORT, HOST_PORT = 2, 3  # the first field is the protocol, TCP if it is not sent
# PodSandboxStatusRequest, PodSandboxStatusResponse, PodSandboxStatus, PodSandboxNetworkStatus, PodIP
POD_ID, VERBOSE = 1, 2
STATUS, INFO, NETWORK, IP, ADDITIONAL_IPS = 1, 2, 5, 1, 2
# StatusResponse, RuntimeStatus, RuntimeCondition
CONDITIONS, TYPE, HOLDS, REASON, MESSAGE = 1, 1, 2, 3, 4

Message = dict[int, Any]


def varint(value: int) -> bytes:
    """Encode *value* seven bits a byte, lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def encode(message: Mapping[int, Any]) -> bytes:
    """Return the bytes of a message."""
    parts = [
        piece
        for number, value in message.items()
        for each in (value if isinstance(value, list) else [value])
        for piece in field(number, each)
    ]
    return b"".join(parts)


def field(number: int, value: Any) -> Iterator[bytes]:
    if isinstance(value, int):
        yield varint(number << 3 | VARINT) + varint(value)
    else:
        content = encode(value) if isinstance(value, Mapping) else value
        content = content.encode() if isinstance(content, str) else content
        yield varint(number << 3 | LENGTH) + varint(len(content)) + content


def decode(data: bytes) -> dict[int, list[Any]]:
    """Return the fields of a message by number, each a list of numbers or bytes."""
    found: dict[int, list[Any]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        value: Any = number()
        if tag & 7 == LENGTH:
            value, at = data[at : at + value], at + value
        found.setdefault(tag >> 3, []).append(value)
    return found


class Runtime:
    """A client of the runtime that listens on the Unix socket *path*."""

    def __init__(self, path: str):
        self.channel = grpc.insecure_channel(f"unix:{path}")

    def call(self, method: str, request: Message, timeout_s: float = TIMEOUT_S) -> dict[int, list[Any]]:
        """Call one method of the runtime service. Raises grpc.RpcError."""
        ask = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}")
        return decode(ask(encode(request), timeout=timeout_s, wait_for_ready=True))

    def run_pod(
        self,
        name: str,
        ports: Sequence[tuple[int, int]] = (),
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Make a pod's sandbox and return its ID. ports: of the host and of the pod, TCP. Raises RpcError."""
        config: Message = {
            METADATA: {NAME: name, UID: f"uid-{name}", NAMESPACE: "default"},
            HOSTNAME: name,
            LOG_DIRECTORY: "",
            PORT_MAPPINGS: [{CONTAINER_PORT: pod, HOST_PORT: host} for host, pod in ports],
            ANNOTATIONS: [{1: key, 2: value} for key, value in (annotations or {}).items()],
            LINUX: {},
        }
        answer = self.call("RunPodSandbox", {CONFIG: config})
        return str(answer[1][0].decode())

    def stop_pod(self, pod: str) -> None:
        self.call("StopPodSandbox", {POD_ID: pod})

    def remove_pod(self, pod: str) -> None:
        self.call("RemovePodSandbox", {POD_ID: pod})

    def pods(self) -> list[str]:
        """Return the IDs of all sandboxes."""
        return [decode(item)[1][0].decode() for item in self.call("ListPodSandbox", {}).get(1, [])]

    def addresses(self, pod: str) -> tuple[str, ...]:
        """Return the addresses that the runtime tells of a pod, the first one first."""
        network = decode(decode(self.call("PodSandboxStatus", {POD_ID: pod})[STATUS][0])[NETWORK][0])
        more = [decode(each)[1][0] for each in network.get(ADDITIONAL_IPS, [])]
        return tuple(each.decode() for each in (*network.get(IP, []), *more))

    def netns(self, pod: str) -> str:
        """Return the path of a pod's network namespace, out of what the runtime tells if asked for all."""
        told = self.call("PodSandboxStatus", {POD_ID: pod, VERBOSE: 1})[INFO]
        entries = [decode(each) for each in told]
        info = next(json.loads(each[2][0]) for each in entries if each[1][0] == b"info")
        namespaces = info["runtimeSpec"]["linux"]["namespaces"]
        return next(str(each["path"]) for each in namespaces if each["type"] == "network")

    def conditions(self) -> dict[str, str]:
        """Return what kubelet asks every five seconds: each condition, and why it does not hold, or ""."""
        found = {}
        for item in decode(self.call("Status", {})[STATUS][0])[CONDITIONS]:
            it = decode(item)
            texts = [it.get(key, [b""])[0].decode() for key in (TYPE, REASON, MESSAGE)]
            found[texts[0]] = "" if it.get(HOLDS, [0])[0] else f"{texts[1]}: {texts[2]}"
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
