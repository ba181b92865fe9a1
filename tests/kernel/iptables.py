"""A fake host whose iptables is of one variant, and what it has."""

import re
from pathlib import Path

import pytest

from tests.harness import plugin
from tests.harness.configs import PORTMAP, bridge
from tests.harness.host import Config, Host
from tests.harness.network import Network

GO = Path("/usr/lib/cni")
TOOLS = [f"{name}{does}" for name in ("iptables", "ip6tables") for does in ("", "-save", "-restore")]
WITHOUT = "/usr/bin"  # where there is none of them
SUBNETS = ("10.1.0.0/24", "fd01::/64")
VARIANTS = ("nft", "legacy")


def use(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, *missing: str) -> None:
    """Have the plugins find iptables of a variant, but none of the tools that are *missing*.

    Skips where the kernel cannot translate addresses with it.
    """
    probe = host.run(f"iptables-{variant} -t nat -S >&2 && ip6tables-{variant} -t nat -S >&2; echo $?")
    if probe != "0":
        pytest.skip(f"this kernel, or this host, has no iptables-{variant} for table nat")
    folder = host.folder / f"tools-{variant}-{'-'.join(missing)}"
    folder.mkdir()
    for name in set(TOOLS) - set(missing):
        (folder / name).symlink_to(f"/usr/sbin/xtables-{variant}-multi")
    usual = ":".join(each for each in plugin.PATH.split(":") if "tools-" not in each)
    monkeypatch.setattr(plugin, "PATH", f"{folder}:{usual if not missing else WITHOUT}")


def chain(
    host: Host, suite: Path | None = None, name: str = "net", version: str = "1.0.0", **keys: object
) -> Network:
    """Return the usual chain, with the iptables backends: bridge, host-local, portmap with *keys*.

    suite: folder of its executables, where they are not those under test.
    """
    suites = dict.fromkeys(("bridge", "host-local", "portmap"), suite) if suite else {}
    switch = bridge(host.data, *SUBNETS, ipMasq=True, hairpinMode=True, ipMasqBackend="iptables")
    ports: Config = {**PORTMAP, "backend": "iptables", **keys}
    return host.network(switch, ports, name=name, version=version, suites=suites)


def saved(host: Host, variant: str = "nft", table: str = "nat") -> list[str]:
    """What both iptables-save print of a table, but for comments and counters."""
    text = "\n".join(host.run(f"{tool}-{variant}-save -t {table}") for tool in ("iptables", "ip6tables"))
    lines = [re.sub(r" \[\d+:\d+\]$", "", each) for each in text.splitlines() if not each.startswith("#")]
    # Newer releases of the Go suite name both policies in comments of what containers under either share.
    return [
        each.replace("(ingressPolicy: same-bridge|isolated)", "(ingressPolicy: same-bridge)")
        for each in lines
    ]


def of_attachments(lines: list[str]) -> list[str]:
    """Those lines that concern an attachment, and not what all share."""
    found = re.compile(r"CNI-(DN-)?[0-9a-f]{17,24}\b")
    return [each for each in lines if found.search(each)]


def flushed(host: Host, variant: str) -> None:
    """Take all rules and chains of table nat away."""
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -t nat -F && {tool}-{variant} -t nat -X")
