"""docs/runtimes/virtual-machines.md: its commands in a lab, and a machine behind their tap device."""

import os
import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.harness.host import Host
from tests.harness.typed import in_a_lab

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "runtimes" / "virtual-machines.md").read_text()
BLOCKS = [dedent(text) for text in re.findall(r"^\n((?: {4}.*\n)+)", PAGE, re.MULTILINE)]
PYTHON = shlex.quote(sys.executable)
# A namespace whose kernel is the machine's, with the MAC and address that the page says.
MACHINE = f"""
ip netns add machine
ip -n vm link add cable type veth peer name eth0 netns machine
ip -n vm link set cable up
ip -n machine link set eth0 address $MAC up
ip -n machine address add 10.77.0.50/24 dev eth0
ip -n machine route add default via 10.77.0.1
ip netns exec machine {PYTHON} -c "from tests.harness.guest import checksums; checksums('eth0')"
ip netns exec vm {PYTHON} -m tests.harness.guest tap0 cable &
"""
TRAFFIC = f"""

{PYTHON} - <<'END'
import time
from launcher.traffic import HERE, Server, ask, ping

machine = "/run/netns/machine"
deadline = time.monotonic() + 10
while ping(machine, "10.77.0.1", timeout_s=1) is None and time.monotonic() < deadline:
    pass
assert ping(machine, "10.77.0.1") is not None, "the gateway"
assert ping(HERE, "10.77.0.50") is not None, "the machine"
with Server(machine, "guest", 22):
    print(ask(HERE, "127.0.0.1", 2222).server, "answers")
END
"""


@pytest.fixture(autouse=True)
def tap_devices() -> None:
    """Those that the kernel lets us make."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened")


def test_a_machine_behind_the_tap_device_has_the_network_of_the_attachment(
    host: Host, tmp_path: Path
) -> None:
    """It reaches the gateway, is reached, and answers at the published port; `down` takes all of it away."""
    make, take_mac, start = BLOCKS
    assert start.startswith("ip netns exec vm qemu-system-x86_64")
    after = "kill $!; cniwire check vm; cniwire down vm; cniwire ls"
    made, _, _, traffic, ended = in_a_lab(host.plugins, tmp_path, [make, take_mac, MACHINE, TRAFFIC, after])
    assert "published 2222→22/tcp" in made
    assert traffic == "guest answers\n", (made, traffic)
    assert "eth0 has no address 10.77.0.50/24" in ended
    assert re.search("vm is down.*nothing is wired", ended, re.DOTALL)
