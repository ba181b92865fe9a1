"""Run the plugins, so that it is counted what they execute: python -m bundle.static.train FOLDER.

FOLDER is CPython's source, where the counts go; the executables that count stand in ../counting. The compiler
lays the real one out by these counts. Two builds have the same bytes only if they count alike. So nothing is
run here that the kernel's state, chance or the folder's name has a part in: each plugin's start with all of
its modules, and its way through a configuration to an error that names a namespace that is not there. What is
not run is optimised as if nothing had been counted.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from launcher.installation.versions import PLUGINS

ROUNDS = 3
# What is called besides VERSION. bridge looks at the namespace before all else; portmap and firewall do not,
# and would change the packet filter of the machine that builds.
CALLS = (("bridge", "ADD"), ("bridge", "CHECK"))
ATTACHMENT = {
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": "/nowhere/c1",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/nowhere",
}
RANGES = [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]]
CONFIG: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "name": "net",
    "bridge": "br0",
    "isDefaultGateway": True,
    "ipMasq": True,
    "ipam": {"type": "host-local", "dataDir": "/nowhere/networks", "ranges": RANGES},
    "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
    "prevResult": {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/nowhere/c1"}],
        "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1", "interface": 2}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}],
    },
}


def call(folder: Path, plugin: str, command: str) -> subprocess.CompletedProcess[bytes]:
    # Addresses that the kernel draws would be in hashes, and so would the folder's path; and those in counts.
    program = ["setarch", "--addr-no-randomize", f"../counting/{plugin}"]
    stdin = json.dumps({**CONFIG, "type": plugin}).encode()
    environ = {"CNI_COMMAND": command, **ATTACHMENT}
    return subprocess.run(program, env=environ, input=stdin, cwd=folder, capture_output=True, check=False)


def main(folder: Path) -> int:
    for _ in range(ROUNDS):
        for plugin, command in CALLS:
            call(folder, plugin, command)
        for plugin in PLUGINS:
            done = call(folder, plugin, "VERSION")
            if done.returncode:
                print(f"{plugin}: {(done.stdout + done.stderr).decode()}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
