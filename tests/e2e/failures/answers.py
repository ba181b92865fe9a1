"""What the fake plugins answer, and how a test waits for a call of one."""

import time

from tests.harness.fake_plugin import FakePlugins

REFUSED = {"json": {"cniVersion": "1.1.0", "code": 107, "msg": "no room", "details": "disk full"}, "exit": 1}
RESULT = {
    "cniVersion": "1.1.0",
    "interfaces": [{"name": "eth0", "sandbox": "x"}],
    "ips": [{"address": "10.0.0.2/24", "interface": 0}],
}


def begun(fakes: FakePlugins, call: str) -> None:
    """Wait until a plugin was called."""
    deadline = time.monotonic() + 20
    while call not in fakes.order:
        assert time.monotonic() < deadline, f"no {call} in {fakes.order}"
        time.sleep(0.02)
