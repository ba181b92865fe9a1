"""Running a foreign plugin, or another program, to its end, without the price of the subprocess package.

Law: we wait for the program itself, and not beyond its time; never for a child that it leaves behind,
nor for the end of its output.
"""

from __future__ import annotations

from errno import ETXTBSY
from select import POLLIN, poll
from time import monotonic, sleep

from core import system
from core.deadline import WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGKILL, SIGPIPE, SIGXFSZ, getsignal, signal
else:
    from _signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGKILL, SIGPIPE, SIGXFSZ, getsignal, signal

TIMEOUT_S = 60
TIMEOUT_VARIABLE = "CNIWIRE_IPAM_TIMEOUT"  # whole seconds, instead of TIMEOUT_S
# Of stdout and of stderr each. The rest is dropped, so that a plugin out of control costs no memory.
KEPT_BYTES = 1 << 20
BUSY_TRIES, BUSY_PAUSE_S = 6, 1.0  # "Text file busy" while the binary is being replaced


def execute(path: str, environ: Mapping[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run the plugin at *path*: (exit status or -signal, stdout, stderr); its stderr is ours, too.

    Raises OSError when it cannot be started, TimeoutError when it did not end in time and was killed.
    """
    status, printed, told = run([path], environ, stdin, _timeout_s(environ))
    _forward(told)
    return status, printed, told


def run(
    command: list[str], environ: Mapping[str, str], stdin: bytes, timeout_s: float, most: int = KEPT_BYTES
) -> tuple[int, bytes, bytes]:
    """Run a program, given by its path and its arguments: (exit status or -signal, stdout, stderr).

    most: bytes of stdout, and of stderr, that are kept. Raises as execute.
    """
    if getsignal(SIGCHLD) == SIG_IGN:  # inherited: the kernel would keep no exit status for us
        signal(SIGCHLD, SIG_DFL)
    descriptors = [system.memfd_create("stdin", system.MFD_CLOEXEC), *system.pipe(), *system.pipe()]
    source, stdout, child_stdout, stderr, child_stderr = descriptors
    child = 0
    try:
        _fill(source, stdin)
        child = _spawn(command, environ, (source, child_stdout, child_stderr))
        handle = system.pidfd_open(child)
        descriptors.append(handle)
        printed, told = _watch(handle, (stdout, stderr), timeout_s, most)
        status, child = system.waitpid(child, 0)[1], 0
    finally:
        if child:
            system.kill(child, SIGKILL)
            system.waitpid(child, 0)
        for descriptor in descriptors:
            system.close(descriptor)
    return system.waitstatus_to_exitcode(status), printed, told


def _fill(source: int, stdin: bytes) -> None:
    """Write stdin to a file, not a pipe: so a plugin that does not read it cannot block us."""
    while stdin:
        stdin = stdin[system.write(source, stdin) :]
    system.lseek(source, 0, system.SEEK_SET)


def _spawn(command: list[str], environ: Mapping[str, str], files: tuple[int, int, int]) -> int:
    actions = [(system.POSIX_SPAWN_DUP2, file, target) for target, file in enumerate(files)]
    for last in [False] * (BUSY_TRIES - 1) + [True]:
        try:
            # Python ignores two signals; a child must not inherit that.
            restored = [SIGPIPE, SIGXFSZ]
            return system.posix_spawn(command[0], command, environ, file_actions=actions, setsigdef=restored)
        except OSError as error:
            if last or error.errno != ETXTBSY:
                raise
        sleep(BUSY_PAUSE_S)
    raise AssertionError("the last try returns or raises")


def _watch(handle: int, readers: tuple[int, int], timeout_s: float, most: int) -> tuple[bytes, bytes]:
    """Both outputs, read until the process of *handle* has ended. Raises TimeoutError."""
    kept = {reader: bytearray() for reader in readers}
    watch = poll()
    watch.register(handle, POLLIN)
    for reader in readers:
        system.set_blocking(reader, False)
        watch.register(reader, POLLIN)
    deadline = monotonic() + timeout_s
    ready: set[int] = set()
    while handle not in ready:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError(f"did not end within {timeout_s:.0f} s and was killed")
        with WAITING:
            ready = {descriptor for descriptor, _ in watch.poll(left * 1000)}
        for reader in readers if handle in ready else ready & kept.keys():
            _keep(reader, kept[reader], most)
    stdout, stderr = kept.values()
    return bytes(stdout), bytes(stderr)


def _keep(reader: int, kept: bytearray, most: int) -> None:
    """Empty the pipe once; a second read might never come to an end."""
    try:
        kept += system.read(reader, KEPT_BYTES)[: most - len(kept)]
    except BlockingIOError:
        pass


def _forward(told: bytes) -> None:
    from core.cni.main import write_all  # late: loaded already, and our caller by way of a handler

    try:
        write_all(2, told)
    except OSError:  # nobody listens, which is no failure of the network
        pass


def _timeout_s(environ: Mapping[str, str]) -> int:
    given = environ.get(TIMEOUT_VARIABLE, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else TIMEOUT_S
