"""Whether firewalld runs, and the connection to the system bus on which it is asked.

Loaded by every ADD of a firewall that was not told its backend, so it costs next to nothing where there is no
bus: then not even the codec is loaded.
"""

from __future__ import annotations

from errno import EACCES, EPERM

from core import system
from core.errors import TRY_AGAIN_LATER, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State

VARIABLE = b"DBUS_SYSTEM_BUS_ADDRESS"
SOCKETS = ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket")
NAME = "org.fedoraproject.FirewallD1"
NOT_FOR_US = (EACCES, EPERM)


class Absent(CNIError):
    """firewalld does not run."""


def running(kernel: State) -> bool:
    """Whether firewalld owns its name on the system bus; False at once where there is no bus.

    Raises CNIError(TRY_AGAIN_LATER) where the bus does not say.
    """
    try:
        return bool(connection(kernel).has_owner(NAME))
    except Absent:
        return False
    except OSError as error:
        hang_up(kernel)
        if error.errno in NOT_FOR_US:
            return False
        raise CNIError(
            TRY_AGAIN_LATER,
            f"cannot find out whether firewalld runs: {error.strerror}",
            "or name another backend than firewalld in the configuration",
        ) from None


def connection(kernel: State) -> Any:
    """The connection of this call (core.dbus.connection.Bus). Raises Absent without a bus, OSError."""
    if kernel.bus is None:
        named = system.decoded(system.environ.get(VARIABLE, b""))
        if not named and not any([system.there(path) for path in SOCKETS]):
            raise absent("there is no system bus")
        from core.dbus.connection import NO_BUS, Bus  # late: most hosts of containers have no firewalld

        try:
            kernel.bus = Bus(named or ";".join([f"unix:path={path}" for path in SOCKETS]))
        except OSError as error:
            if error.errno in NO_BUS:
                raise absent(str(error.strerror)) from None
            raise
    return kernel.bus


def hang_up(kernel: State) -> None:
    """Close a connection on which nobody knows any more what comes next."""
    if kernel.bus is not None:
        kernel.bus.close()
        kernel.bus = None


def absent(why: str) -> Absent:
    """The error that says so."""
    return Absent(
        TRY_AGAIN_LATER, f"firewalld does not run: {why}", "start it, or name another backend than firewalld"
    )
