"""The private fake host: own network, mounts, processes and, without root, own user.

Nothing of it outlives its command.

Law: the new namespaces are made first, and all else happens inside them. So the machine's own network,
/run and /var/lib/cni cannot be reached, not even by mistake.
"""

import errno
import os
import signal
import socket
import sys
from collections.abc import Sequence

from launcher import system_calls
from launcher.environment import outer_environ
from launcher.system_calls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    call,
    libc,
)

# Of system_calls, what tests take from here.
__all__ = ("CLONE_NEWNET", "CLONE_NEWNS", "MS_BIND", "MS_PRIVATE", "MS_REC", "call", "libc")

# Directories that are the fake host's own, and their modes.
PRIVATE_DIRECTORIES = {"/run": "755", "/var/lib/cni": "755", "/etc/cni": "755", "/dev/shm": "1777"}
MARK = "CNIWIRE_LAB"  # environment variable: "1" inside a lab
DENIED = (errno.EPERM, errno.EACCES)
REFUSALS = (  # errors, and the settings that cause them
    (DENIED, "kernel.apparmor_restrict_unprivileged_userns", "1"),  # Ubuntu since 24.04
    (DENIED, "kernel.unprivileged_userns_clone", "0"),  # Debian's kernels until 11
    *[((errno.ENOSPC,), f"user.max_{kind}_namespaces", "0") for kind in ("user", "net", "mnt", "uts", "pid")],
)
HOSTNAME = "lab"
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # exit codes, as env(1) and podman have them
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def main(argv: Sequence[str]) -> int:
    """Run a command, or a shell, in a private fake host; return its exit code (128 + n for signal n).

    argv: the command, optionally behind "--"; empty means $SHELL.
    Returns 125 when no fake host can be made here, 126 and 127 when the command cannot be executed or found.
    """
    command = list(argv[1:] if argv[:1] == ["--"] else argv) or [os.environ.get("SHELL", "/bin/sh")]
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until wait_for() can pass them on
    try:
        unshare()
    except OSError as error:
        print(f"cniwire lab: cannot create namespaces: {explained(error)}", file=sys.stderr)
        return FAILED
    child = os.fork()
    if child == 0:
        os._exit(init(command))
    return wait_for(child)


def obstacle() -> str | None:
    """Why no fake host can be made on this machine, None if one can. Tried in a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            unshare()
            mount("none", "/", flags=MS_REC | MS_PRIVATE)
        except OSError as error:
            os.write(writer, f"cannot create namespaces: {explained(error)}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text or None


def explained(error: OSError) -> str:
    """The kernel's error when namespaces were to be made, with the setting that causes it and what helps."""
    text = error.strerror or str(error)
    for said, setting, value in REFUSALS:
        if error.errno in said and sysctl(setting) == value:
            return f"{text}, because {setting} is {value} here: set another value{or_sudo()}"
    if error.errno == errno.ENOSPC:
        return f"{text}: there are too many already (user.max_*_namespaces)"
    if error.errno in DENIED:
        return f"{text}: this container or sandbox does not allow it{or_sudo()}"
    return text


def or_sudo() -> str:
    """The advice for whoever is not root: root needs no user namespace."""
    return ", or use sudo" if os.geteuid() else ""


def sysctl(name: str) -> str:
    """The value of a sysctl; "" where the kernel has none of that name."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def unshare() -> None:
    """Enter new network, mount and uts namespaces, and a new pid namespace for the next child.

    Without the right to do that (CAP_SYS_ADMIN) this process becomes root of a new user namespace as well.
    Raises OSError.
    """
    namespaces = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID
    try:
        call(libc.unshare, namespaces)
    except PermissionError:
        uid, gid = os.geteuid(), os.getegid()
        call(libc.unshare, namespaces | CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)


def init(command: list[str]) -> int:
    """Be process 1 of the fake host: furnish it, run *command*, reap orphans.

    All in it die with process 1.
    """
    system_calls.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the command as well, which decides
    try:
        furnish()
    except OSError as error:
        print(f"cniwire lab: {explained(error)}", file=sys.stderr)
        return FAILED
    child = os.fork()
    if child == 0:
        os._exit(execute(command))
    return wait_for(child)


def furnish() -> None:
    """Give the fake host its own /proc, /sys, /run, CNI directories, host name and a loopback that is up.

    Raises OSError.
    """
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for directory, mode in PRIVATE_DIRECTORIES.items():
        private(directory, mode)
    os.mkdir("/run/netns")
    mount("/run/netns", "/run/netns", flags=MS_BIND)  # shared, as `ip netns` and runtimes expect it
    mount("none", "/run/netns", flags=MS_SHARED)
    socket.sethostname(HOSTNAME)
    system_calls.raise_loopback()
    os.environ[MARK] = "1"


def private(directory: str, mode: str) -> None:
    """Mount an empty tmpfs on *directory*.

    A directory that the machine lacks is made in an overlay over its parent, so that the machine does
    not get it.
    """
    if not os.path.isdir(directory):
        parent, layer = os.path.dirname(directory), "/run/overlay" + directory
        os.makedirs(f"{layer}/upper")
        os.makedirs(f"{layer}/work")
        layers = f"lowerdir={parent},upperdir={layer}/upper,workdir={layer}/work"
        mount("overlay", parent, "overlay", data=f"{layers},userxattr")
        os.mkdir(directory)
    mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}")


def execute(command: list[str]) -> int:
    """Become *command*; return an exit code only if that fails."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    try:
        os.execvpe(command[0], command, outer_environ())
    except OSError as error:
        print(f"cniwire lab: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_EXECUTABLE if os.path.exists(command[0]) else NOT_FOUND


def wait_for(child: int) -> int:
    """Pass signals on to *child* until it ends, reaping other processes meanwhile; return its exit code."""
    for number in FORWARDED:
        signal.signal(number, lambda received, _: os.kill(child, received))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError that names *target*."""
    system_calls.mount(source, target, kind, flags, data, about=target)
