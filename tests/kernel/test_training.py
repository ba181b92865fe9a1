"""The training for the layout of the static file (bundle/static/train.py) runs on the machine that builds."""

import json
import subprocess

from bundle.static import train
from tests.harness.host import Host


def test_training_changes_nothing_on_the_machine(host: Host) -> None:
    """No rule, no link, no file: every call ends with an error that names the namespace."""
    before = host.state()
    for plugin, command in train.CALLS:
        environ = {"CNI_COMMAND": command, **train.ATTACHMENT}
        stdin = json.dumps({**train.CONFIG, "type": plugin}).encode()
        done = subprocess.run([host.plugins / plugin], env=environ, input=stdin, capture_output=True)
        assert "/nowhere/c1" in json.loads(done.stdout)["msg"]
    assert host.state() == before
