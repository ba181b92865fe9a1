"""Anything in the environment and on stdin: no exception, one JSON document or none, a fitting exit code."""

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.cni.config import cni_args, valid_attachments
from core.cni.protocol import Request, respond
from core.cni.result import parse_prev, route
from core.cni.version import ALL
from tests.harness.stub_plugin import Stub

VARIABLES = [
    "CNI_CONTAINERID",
    "CNI_NETNS",
    "CNI_IFNAME",
    "CNI_ARGS",
    "CNI_PATH",
    "CNI_NETNS_OVERRIDE",
    "CNIWIRE_X",
]
# What a process can really have: bytes but NUL, decoded as os.environ decodes them; and now and then
# what it cannot have.
BYTES = st.binary(max_size=20).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))
USUAL = st.sampled_from(
    [
        "c1",
        "eth0",
        "/opt/cni/bin",
        "IP=10.0.0.2",
        "1",
        "a;b",
        "/proc/self/ns/net",
        "/proc/self/ns/mnt",
        "",
        "IP=1;IP=2;",
    ]
)
COMMANDS = st.sampled_from(["ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION", "add", ""])
ENVIRONS = st.builds(
    lambda command, rest: {**rest, "CNI_COMMAND": command},
    COMMANDS | BYTES | st.text(max_size=5),
    st.fixed_dictionaries({}, optional={name: USUAL | BYTES | st.text(max_size=20) for name in VARIABLES}),
)
TEXTS = st.sampled_from(
    ["n1", "10.0.0.2/8", "10.0.0.1", "::1/128", "", "0.2.0", "1.1.0", "c1", "eth0", "\ud800"]
) | st.text(max_size=6)
KEYS = st.sampled_from(
    [
        *(
            "name",
            "NAME",
            "type",
            "prevResult",
            "ips",
            "ip4",
            "ip",
            "address",
            "routes",
            "dst",
            "gw",
            "dns",
            "domain",
            "interfaces",
        ),
        *(
            "ipam",
            "args",
            "cni",
            "runtimeConfig",
            "cni.dev/valid-attachments",
            "cni.dev/attachments",
            "containerID",
            "ifname",
        ),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
TREES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS | TEXTS, below, max_size=5),
    max_leaves=12,
)
CONFIGS = st.builds(
    lambda tree, known: {**(tree if isinstance(tree, dict) else {"x": tree}), **known},
    TREES,
    st.fixed_dictionaries(
        {"name": st.just("n1"), "cniVersion": st.sampled_from(ALL)},
        optional={"prevResult": TREES, "cni.dev/valid-attachments": TREES},
    ),
)
STDINS = (CONFIGS | CONFIGS | TREES).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


def curious(request: Request) -> Any:
    """A handler that looks at all that the core decodes for it, and answers with the previous result."""
    cni_args(request.args, ("IP",))
    valid_attachments(request.config)
    for path in request.config.section("ipam").sections("routes"):
        route(path)
    # GC and STATUS have no attachment, so CNI_IFNAME may be anything.
    assert request.command in ("GC", "STATUS") or len(request.attachment.host_ifname) == 15
    return parse_prev(request.config, request.version)


def judged(plugin: Stub, environ: dict[str, str], stdin: bytes) -> tuple[int, Any]:
    """Call, and hold the answer to the protocol."""
    code, stdout = respond(plugin, environ, lambda: stdin)
    assert code in (0, 1)
    assert stdout.isascii()
    document = json.loads(stdout, parse_constant=lambda name: name) if stdout else None
    if stdout:
        assert isinstance(document, dict)
        json.dumps(document, ensure_ascii=False).encode()
        assert document["cniVersion"] in ALL
    if code:
        assert isinstance(document, dict)
        assert set(document) <= {"cniVersion", "code", "msg", "details"}
        assert type(document["code"]) is int
        assert document["code"] > 0
        assert isinstance(document["msg"], str)
        assert document["msg"]
    elif environ["CNI_COMMAND"] != "VERSION":
        assert environ["CNI_COMMAND"] == "ADD" or document is None
        assert document is None or "code" not in document or "prevResult" in stdin.decode(errors="replace")
    return code, document


@given(ENVIRONS, STDINS)
@settings(max_examples=1500)
def test_whatever_comes_in_one_document_or_nothing_goes_out(environ: dict[str, str], stdin: bytes) -> None:
    """S-2, S-38, S-42, S-43, S-46: and nothing unforeseen happens, as the code would be 999."""
    code, document = judged(Stub(curious), environ, stdin)
    assert not code or document["code"] != 999, document


@given(st.sampled_from(["ADD", "CHECK", "DEL", "GC", "STATUS"]), CONFIGS)
@settings(max_examples=1000)
def test_whatever_the_configuration_holds_the_complaint_is_a_typed_one(
    command: str, config: dict[str, Any]
) -> None:
    """S-42, S-62, S-86."""
    environ = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/no/such",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/x",
        "CNI_COMMAND": command,
    }
    code, document = judged(Stub(curious), environ, json.dumps(config).encode())
    assert not code or document["code"] in (1, 6, 7), document


@given(
    st.sampled_from(["ADD", "CHECK", "DEL", "GC", "STATUS"]), st.binary(max_size=30), st.binary(max_size=30)
)
@settings(max_examples=500)
def test_a_configuration_with_a_hole_torn_into_it_is_refused_or_read(
    command: str, hole: bytes, tail: bytes
) -> None:
    """S-42."""
    environ = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/no/such",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/x",
        "CNI_COMMAND": command,
    }
    code, document = judged(
        Stub(curious), environ, b'{"name": "n1", "cniVersion": "1.1.0", "x": ' + hole + b"}" + tail
    )
    assert not code or document["code"] in (1, 6, 7), document
