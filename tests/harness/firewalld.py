"""A system bus and firewalld, as the distribution has them, in the network namespace of whoever starts them.

Their files, socket, configuration and log, are in a folder of the test's. Nothing of the machine's is
touched: what firewalld makes in the packet filter is in its namespace and goes with it.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from jeepney import DBusAddress, DBusErrorResponse, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

MISSING = [name for name in ("dbus-daemon", "firewalld") if not shutil.which(name)]
BUS_CONF = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>/usr/share/dbus-1/system.d/FirewallD.conf</include>
</busconfig>
"""
FIREWALLD_CONF = "DefaultZone=public\nFirewallBackend=nftables\nCleanupOnExit=yes\nIPv6_rpfilter=no\n"
NAME, PATH = "org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1"
START_S = 20


class Firewalld:
    """Both programs, running; address is that of the bus."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        configuration = self.folder / "firewalld"
        for name in ("zones", "policies", "services", "icmptypes", "ipsets", "helpers"):
            (configuration / name).mkdir(parents=True)
        (configuration / "firewalld.conf").write_text(FIREWALLD_CONF)
        (self.folder / "bus.conf").write_text(BUS_CONF.format(socket=self.socket))
        self.start_bus()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.end(name)

    def start_bus(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._run("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile")
        self._await(self.socket.exists, "the bus has no socket")

    def start(self) -> None:
        """Start firewalld and wait until it answers."""
        options = (f"--system-config={self.folder}/firewalld", f"--log-file={self.folder}/log")
        self._run("firewalld", "--nofork", "--nopid", *options)
        self._await(self._answers, "firewalld does not run")

    def _run(self, name: str, *arguments: str) -> None:
        environ = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address}
        with open(self.folder / f"{name}.out", "ab") as output:
            self.running[name] = subprocess.Popen(
                [name, *arguments], env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def _await(self, done: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + START_S
        while not done():
            said = " ".join(path.read_text() for path in self.folder.glob("*.out"))
            assert time.monotonic() < end, f"{otherwise}: {said}"
            time.sleep(0.05)

    def hold(self) -> None:
        """Let firewalld do nothing until it is let go on."""
        self.running["firewalld"].send_signal(signal.SIGSTOP)

    def let_go_on(self) -> None:
        self.running["firewalld"].send_signal(signal.SIGCONT)

    def kill(self) -> None:
        killed = self.running.pop("firewalld")
        killed.kill()
        killed.wait(10)

    def end(self, name: str = "firewalld") -> None:
        """Stop one of the two programs; firewalld may not hear it while it starts."""
        ended = self.running.pop(name)
        ended.terminate()
        try:
            ended.wait(5)
        except subprocess.TimeoutExpired:
            ended.kill()
            ended.wait(10)

    def ask(self, member: str, *arguments: str, of: str = ".zone", at: str = PATH) -> tuple[Any, ...]:
        """What a method of firewalld answers to jeepney's client. Raises DBusErrorResponse."""
        address = DBusAddress(at, NAME, NAME + of)
        with open_dbus_connection(self.address) as connection:
            call = new_method_call(address, member, "s" * len(arguments) or None, arguments)
            reply = connection.send_and_get_reply(call, timeout=START_S)
        return tuple(unwrap_msg(reply))

    def sources(self, zone: str) -> list[str]:
        """The sources of a zone."""
        return list(self.ask("getSources", zone)[0])

    def permanently(self, member: str, zone: str, source: str) -> None:
        """Change what a zone has whenever it is loaded."""
        path = self.ask("getZoneByName", zone, of=".config", at=f"{PATH}/config")[0]
        self.ask(member, source, of=".config.zone", at=path)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("getDefaultZone", of=""))
        except DBusErrorResponse:
            return False
