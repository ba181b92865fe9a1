"""A machine ID for the fake host: machines without systemd have none.

Plugins need it to know which reservations are of this machine and died with a reboot.
"""

from pathlib import Path

from launcher.lab import MS_BIND, mount, private

FILE = Path("/etc/machine-id")
LAYER = Path("/run/machine")  # the lab's own


def identify() -> None:
    """Give this lab an ID, if the machine has none; the machine goes on having none."""
    if FILE.exists() and len(FILE.read_text().strip()) == 32:
        return
    LAYER.mkdir()
    given = LAYER / "id"
    given.write_text("0123456789abcdef" * 2 + "\n")
    if not FILE.exists():
        for name in ("upper", "work"):
            (LAYER / name).mkdir()
        mount(
            "overlay",
            "/etc",
            "overlay",
            data=f"lowerdir=/etc,upperdir={LAYER}/upper,workdir={LAYER}/work,userxattr",
        )
        private("/etc/cni", "755")  # it is below the new /etc
        FILE.touch()
    mount(str(given), str(FILE), flags=MS_BIND)
