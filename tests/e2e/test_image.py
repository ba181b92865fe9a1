"""The executable resumes instead of starting (make dist): what belongs to a run is each process's own."""

import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundle.static.image import data_of
from launcher.installation.versions import PLUGINS
from launcher.installation.versions import STATIC as NAME
from tests.e2e.test_static import CHROOT, VERSION, call
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host

SMALL = 24 << 20  # bytes: of address space, which the Go plugins need a hundred times
USUAL = {
    *("arch_prctl", "clock_gettime", "execve", "exit_group", "getrandom", "gettid", "set_tid_address"),
    *("close", "fcntl", "fdatasync", "flock", "fsync", "ftruncate", "getdents64", "lseek", "mmap", "munmap"),
    *("fstat", "lstat", "mkdir", "newfstatat", "open", "openat", "pread64", "pwrite64", "read", "readlink"),
    *(
        "rename",
        "stat",
        "statfs",
        "umask",
        "unlink",
        "utimensat",
        "write",
        "link",
        "linkat",
        "fgetxattr",
        "ioctl",
        "unlinkat",
    ),
    *(
        "bind",
        "getsockname",
        "getsockopt",
        "recvfrom",
        "recvmsg",
        "sendmsg",
        "sendto",
        "setsockopt",
        "socket",
    ),
    *("poll", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "setitimer", "setns", "access", "fsetxattr"),
}
CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)


def traced(host: Host, folder: Path, container: str) -> str:
    """What strace tells of an ADD of bridge in *folder*."""
    trace = host.folder / f"trace-{container}"
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(host.data, "10.1.0.0/24", ipMasq=True)}
    attachment = {"CNI_CONTAINERID": container, "CNI_NETNS": str(host.container(container).path)}
    environ = {"CNI_COMMAND": "ADD", "CNI_IFNAME": "eth0", "CNI_PATH": str(folder), **attachment}
    command = ["strace", "--signal=none", f"--output={trace}", str(folder / "bridge")]
    done = subprocess.run(
        command, env={**os.environ, **environ}, input=json.dumps(config), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return trace.read_text()


def mac_of(result: dict[str, Any]) -> str:
    return next(str(each["mac"]) for each in result["interfaces"] if each["name"] == "eth0")


def test_two_calls_draw_different_macs(static: Path, tmp_path: Path) -> None:
    with Host(static, tmp_path) as host:
        net = host.network(bridge(host.data, "10.1.0.0/24"))
        macs = {mac_of(net.add(host.container(f"c{number}"))) for number in range(4)}
    assert len(macs) == 4


def test_the_environment_is_that_of_the_process(static: Path) -> None:
    """Every variable, none of another run; the first of a name counts, as in every Python."""
    attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
    config = json.dumps({"cniVersion": "1.1.0", "name": "net", "type": "bridge"}).encode()
    done = call(static / "bridge", {"CNI_COMMAND": "ADD", **attachment}, config)
    assert "/nowhere" in json.loads(done.stdout)["msg"]
    for name in attachment.keys() - {"CNI_PATH"}:
        fewer = {key: value for key, value in attachment.items() if key != name}
        done = call(static / "bridge", {"CNI_COMMAND": "ADD", **fewer}, config)
        assert name in json.loads(done.stdout)["msg"]


def test_paths_are_looked_up_from_the_processs_own_folder(static: Path, tmp_path: Path) -> None:
    """A relative CNI_PATH, and a relative executable."""
    shutil.copy(static / NAME, tmp_path / "bridge")
    (tmp_path / "other").write_text('#!/bin/sh\necho \'{"cniVersion": "1.1.0"}\'\n')
    (tmp_path / "other").chmod(0o755)
    config = {"cniVersion": "1.1.0", "name": "net", "type": "bridge", "ipam": {"type": "other"}}
    done = subprocess.run(
        ["./bridge"],
        cwd=tmp_path,
        env={"CNI_COMMAND": "STATUS", "CNI_PATH": ".", "PATH": os.environ["PATH"]},
        input=json.dumps(config).encode(),
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_signals_and_the_clock_are_the_processs_own(static: Path) -> None:
    """A budget of a second ends after a second, by a signal, though SIGTERM was ignored by the caller."""
    attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
    environ = {"CNI_COMMAND": "ADD", "CNIWIRE_TIMEOUT": "1", **attachment}
    command = ["sh", "-c", f"trap '' TERM; sleep 5 | {static}/bridge"]
    done = subprocess.run(command, env={**environ, "PATH": os.environ["PATH"]}, capture_output=True)
    assert json.loads(done.stdout)["code"] == 11


def test_no_memory_is_both_written_and_executed(static: Path, tmp_path: Path) -> None:
    image = (static / NAME).read_bytes()
    first, count = int.from_bytes(image[32:40], "little"), int.from_bytes(image[56:58], "little")
    flags = [image[first + 56 * number + 4] for number in range(count)]  # elf(5): PF_X is 1, PF_W 2
    assert 6 in flags
    assert not [each for each in flags if each & 3 == 3]
    with Host(static, tmp_path) as host:
        assert "PROT_EXEC" not in traced(host, static, "c1")


def test_it_asks_the_kernel_for_nothing_unusual(static: Path, tmp_path: Path) -> None:
    """No personality, no mprotect, no remapping: what filters of system calls allow every program."""
    with Host(static, tmp_path) as host:
        asked = {*CALL.findall(traced(host, static, "c1"))}
    assert "setns" in asked
    assert asked - USUAL == set()


@pytest.mark.parametrize("limit", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_little_memory_is_enough(static: Path, limit: int) -> None:
    for name in PLUGINS:
        done = subprocess.run(
            [static / name],
            env=VERSION,
            capture_output=True,
            preexec_fn=lambda: resource.setrlimit(limit, (SMALL, SMALL)),
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_new_memory_lies_elsewhere_in_each_process(static: Path, tmp_path: Path) -> None:
    """What a process takes in is not at an address that somebody could know."""
    with Host(static, tmp_path) as host:
        traces = [traced(host, static, f"c{number}") for number in range(3)]
    first = [re.findall(r"mmap\(NULL.* = (0x[0-9a-f]+)", trace)[0] for trace in traces]
    assert len({*first}) > 1


def test_an_import_of_what_is_not_there_is_one_json_error(static: Path, tmp_path: Path) -> None:
    """No module is found on any disk: neither by a path of the caller's, nor beside the executable."""
    shutil.copy(static / NAME, tmp_path / "bridge")
    for module in ("json.py", "traceback.py", "site.py", "sitecustomize.py"):
        (tmp_path / module).write_text("raise SystemExit('taken from the disk')")
    environ = {"CNI_COMMAND": "ADD", "CNIWIRE_DEBUG": "1", "PYTHONPATH": str(tmp_path)}
    attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
    done = subprocess.run(
        [tmp_path / "bridge"], cwd=tmp_path, env={**environ, **attachment}, input=b"{,", capture_output=True
    )
    assert json.loads(done.stdout)["code"] == 6
    assert b"taken" not in done.stderr


def test_the_image_is_what_the_kernel_maps_and_no_more(static: Path) -> None:
    """The file ends with its data: no sections, no symbols."""
    image = (static / NAME).read_bytes()
    data = data_of(image)
    size = int.from_bytes(image[40:48], "little")  # elf(5): e_shoff
    assert size == 0
    assert data.address % 4096 == data.offset % 4096


def test_published_ports_pass_and_go(static: Path, tmp_path: Path) -> None:
    """The chain, end to end."""
    with Host(static, tmp_path) as host:
        net = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP)
        container = host.container()
        net.add(container, portMappings=[mapping(8080)])
        net.check(container, portMappings=[mapping(8080)])
        net.delete(container, portMappings=[mapping(8080)])
        assert "8080" not in host.run("nft list ruleset")


def test_it_runs_without_proc_and_in_a_root_of_its_own(static: Path, tmp_path: Path) -> None:
    shutil.copy(static / NAME, tmp_path / "bridge")
    done = subprocess.run([CHROOT, tmp_path, "/bridge"], env=VERSION, capture_output=True)
    assert done.returncode == 0


def test_under_another_program_loader_it_runs_as_well(static: Path) -> None:
    """qemu-user places memory, stack and the kernel's page otherwise."""
    emulator = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if not emulator:
        pytest.skip("qemu-user is not installed")
    for name in PLUGINS:
        done = subprocess.run([emulator, static / name], env=VERSION, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
