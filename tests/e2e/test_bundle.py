"""The bundle: as a copy, by links, with nothing outside itself but the C library, and within its limits."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.build import link
from launcher.installation.versions import PLUGINS
from tests.harness.configs import bridge
from tests.harness.host import Host

ROOT = Path(__file__).resolve().parents[2]
MEMORY_MAX = 12_000  # KiB, of a plugin at its peak
NEARLY_ALL = 0.99  # what is missing may be what only some plugins need
LIBC = r"(usr/)?lib(64)?/(\S+/)?lib[cm]\.so\.6|etc/(ld\.so\.cache|localtime)"
KERNEL = r"(proc|sys|run)/.*|dev/null|etc/machine-id"  # machine-id: a bridge's MAC is made of it
OUTSIDE = re.compile(f"/({LIBC}|{KERNEL})")
# A parent smaller than any plugin, because a child's peak is never below its parent's size when it
# was started.
WEIGHED = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
os.write(2, b"%d %d" % (status, usage.ru_maxrss))
"""


def version(executable: Path, **options: object) -> str:
    """The newest version that *executable* speaks, called with no environment at all."""
    done = subprocess.run(
        [executable], env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=True, **options
    )  # type: ignore[call-overload]
    return str(json.loads(done.stdout)["cniVersion"])


def test_a_copy_of_the_folder_works(bundle: Path, tmp_path: Path) -> None:
    """And knows its own IPAM plugin."""
    copy = tmp_path / "with a space" / "cni"
    shutil.copytree(bundle, copy, symlinks=True)
    with Host(copy, tmp_path) as host:
        host.network(bridge(host.data, "10.1.0.0/24")).add(host.container())


def test_a_link_may_have_a_name_of_its_own(bundle: Path, tmp_path: Path) -> None:
    """Beside the Go suite's plugins in one bin_dir, for example."""
    (tmp_path / "cniwire-portmap").symlink_to(bundle / "portmap")
    (tmp_path / "further").mkdir()
    (tmp_path / "further" / "ports").symlink_to("../cniwire-portmap")
    done = subprocess.run(
        [tmp_path / "further" / "ports"], env={}, capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith("CNI portmap plugin")


def test_a_copy_with_links_resolved_works(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    assert not (copy / "portmap").is_symlink()
    assert version(copy / "portmap") == "1.1.0"


def test_no_variable_for_pythons_gets_in(bundle: Path) -> None:
    variables = {
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/nowhere",
        "PYTHONVERBOSE": "1",
        "PYTHONINSPECT": "1",
        "LC_ALL": "tr_TR.UTF-8",
    }
    for name in PLUGINS:
        done = subprocess.run(
            [bundle / name], env={**variables, "CNI_COMMAND": "VERSION"}, capture_output=True, check=True
        )
        assert (json.loads(done.stdout)["cniVersion"], done.stderr) == ("1.1.0", b"")


@pytest.mark.parametrize("locale", ["de_DE.ISO-8859-15", "ja_JP.eucJP"])
def test_the_launcher_works_in_any_locale(bundle: Path, tmp_path: Path, locale: str) -> None:
    """It says UTF-8 everywhere, and so needs no codec for what the locale names."""
    language, charset = locale.split(".")
    charset = charset.replace("eucJP", "EUC-JP")
    if not Path(f"/usr/share/i18n/charmaps/{charset}.gz").exists():
        pytest.skip("there are no sources of locales here (package locales)")
    command = ["localedef", "-i", language, "-f", charset, str(tmp_path / locale)]
    subprocess.run(command, check=False, capture_output=True)  # it warns
    environ = {"LC_ALL": locale, "LOCPATH": str(tmp_path)}
    done = subprocess.run(
        [bundle / "cniwire", "status", "--conf-dir", ROOT / "conf"], env=environ, capture_output=True
    )
    assert (done.returncode, "✔" in (done.stdout + done.stderr).decode()) == (0, True)


@pytest.mark.parametrize("left", [None, 0, 100, 4096, 0.5, NEARLY_ALL])
@pytest.mark.parametrize(
    ("file", "advice"),
    [("lib/cniwire.boot", "copy the whole folder"), ("lib/cniwire.modules", "install it again")],
)
def test_a_damaged_bundle_says_so(
    bundle: Path, tmp_path: Path, file: str, left: float | None, advice: str
) -> None:
    """A copy that lacks a file, or was cut short; left: bytes of it, or a part.

    One JSON error all the same, by each plugin that needs what is not there.
    """
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy, symlinks=True)
    if left is None:
        (copy / file).unlink()
    else:
        advice = "install it again"
        os.truncate(copy / file, left if isinstance(left, int) else int((copy / file).stat().st_size * left))
    calls = [
        subprocess.run([copy / name], env={"CNI_COMMAND": "VERSION"}, capture_output=True) for name in PLUGINS
    ]
    failed = [(done.returncode, json.loads(done.stdout)) for done in calls if done.returncode]
    assert [(status, error["code"]) for status, error in failed if advice in error["msg"]] == [
        (1, 999)
    ] * len(failed)
    assert len(failed) == len(PLUGINS) or left == NEARLY_ALL


@pytest.mark.parametrize(
    ("name", "plugin"),
    [("cnv-bridge", "bridge"), ("buildkit-cni-host-local", "host-local"), ("my-portmap", "portmap")],
)
def test_a_copy_under_another_name_acts_as_what_its_name_ends_in(
    bundle: Path, tmp_path: Path, name: str, plugin: str
) -> None:
    """A copy of the executable beside lib: OpenShift's cnv-bridge, buildkit's buildkit-cni-bridge."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy, symlinks=True)
    shutil.copy(copy / "bridge", copy / name)
    done = subprocess.run([copy / name], env={}, capture_output=True, text=True, check=True)
    assert done.stderr.startswith(f"CNI {plugin} plugin v")


@pytest.mark.parametrize("name", ["whatever", 'a"b\\c', "new\nline", "bytes-\udcff", "mybridge"])
def test_a_copy_whose_name_tells_nothing_says_how_to_call_it(bundle: Path, tmp_path: Path, name: str) -> None:
    """One JSON error, and no traceback."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy, symlinks=True)
    shutil.copy(copy / "bridge", copy / name)
    done = subprocess.run([copy / name], env={"CNI_COMMAND": "VERSION"}, capture_output=True)
    assert (
        done.returncode,
        done.stderr,
        "bridge, host-local, portmap" in json.loads(done.stdout)["msg"],
    ) == (1, b"", True)


@pytest.mark.parametrize("folder", ["usual", 'odd "folder\\\n'])
def test_an_executable_without_its_folder_says_what_is_missing(
    bundle: Path, tmp_path: Path, folder: str
) -> None:
    """What an installer does that knows single files only: cp bridge host-local portmap /host/opt/cni/bin."""
    (tmp_path / folder).mkdir()
    shutil.copy(bundle / "portmap", tmp_path / folder)
    done = subprocess.run(
        [tmp_path / folder / "portmap"], env={"CNI_COMMAND": "VERSION"}, capture_output=True
    )
    error = json.loads(done.stdout)
    assert (done.returncode, done.stderr, error["code"]) == (1, b"", 999)
    assert "lib/cniwire.boot is missing" in error["msg"]


@pytest.mark.parametrize("zeroth", ["", "x" * 5000, "/nowhere/at/all", "bytes-\udcff", "lib", "../.."])
def test_what_the_caller_calls_us_does_not_matter(bundle: Path, zeroth: str) -> None:
    """argv[0] is the caller's to choose; the kernel knows what it executes."""
    # With a working directory subprocess forks. Since 3.13 it would else call posix_spawn, as which Python
    # lets nobody have an empty name.
    done = subprocess.run(
        [zeroth], executable=bundle / "portmap", env={}, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith("CNI portmap plugin v")


def test_the_interpreter_started_as_usual_gives_the_same_answers(bundle: Path, tmp_path: Path) -> None:
    """All golden cases pass with an interpreter that is started completely, as with any Python but 3.11."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy, symlinks=True)
    (copy / "bridge").unlink()
    link(copy / "bridge", "-DSTOPS_EARLY=0")
    options = ["--quiet", "-p", "no:cacheprovider", f"--plugins={copy}", f"--basetemp={tmp_path}/golden"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/golden"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_bad_json_is_told_by_the_standard_library(bundle: Path) -> None:
    """Its json package is beyond where the interpreter stops: the rest of its start is done now."""
    attachment = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/nowhere",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(bundle),
    }
    done = subprocess.run(
        [bundle / "bridge"], env={"CNI_COMMAND": "ADD", **attachment}, input=b"{,}", capture_output=True
    )
    assert (done.returncode, json.loads(done.stdout)["code"], done.stderr) == (1, 6, b"")
    assert "line 1 column 2" in json.loads(done.stdout)["msg"]


def test_bridge_runs_no_other_program(bundle: Path, host: Host, tmp_path: Path) -> None:
    """IPAM runs in the bridge's process, and the interpreter is part of the executable."""
    trace = tmp_path / "trace"
    add(host, bundle, "strace", "--follow-forks", "--trace=execve", "--signal=none", f"--output={trace}")
    assert re.findall(r'execve\("([^"]+)"', trace.read_text()) == [str(bundle / "bridge")]


def test_a_plugin_reads_nothing_outside_the_bundle(bundle: Path, host: Host, tmp_path: Path) -> None:
    """But files of the C library, of the kernel, and those that its configuration names.

    Directories above the latter are synced.
    """
    trace = tmp_path / "trace"
    options = ("--follow-forks", "--trace=open,openat", "--signal=none", "--successful-only")
    add(host, bundle, "strace", *options, f"--output={trace}")
    opened = set(re.findall(r'open(?:at\(AT_FDCWD, |\()"([^"]+)"', trace.read_text()))
    foreign = {path for path in opened if not OUTSIDE.fullmatch(path)} - set(map(str, tmp_path.parents))
    assert {path for path in foreign if not path.startswith((f"{bundle}/", str(tmp_path)))} == set()


def test_a_plugin_stays_small(bundle: Path, host: Host) -> None:
    done = add(host, bundle, sys.executable, "-I", "-S", "-c", WEIGHED)
    status, peak = map(int, done.stderr.split())
    assert status == 0
    assert peak <= MEMORY_MAX


def test_somebody_elses_plugin_sees_nothing_of_the_bundle(bundle: Path, host: Host) -> None:
    """S-90: neither a loader's path nor a bootloader's notes; a path that was there before stays."""
    answer = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]}'
    folder = host.ipam(f"env > $0.env; echo '{answer}'")
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(), "ipam": {"type": "fake"}}
    for before in (None, "/somewhere/lib"):
        host.call(
            "ADD",
            config,
            host.container(f"c{before is None:d}"),
            CNI_PATH=str(folder),
            LD_LIBRARY_PATH=before,
        )
        seen = dict(line.split("=", 1) for line in (folder / "fake.env").read_text().splitlines())
        theirs = {key: value for key, value in seen.items() if key.startswith(("_PYI", "LD_"))}
        assert theirs == ({"LD_LIBRARY_PATH": before} if before else {})


def add(host: Host, bundle: Path, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """ADD of a masquerading bridge, with *wrapper* in front of the executable."""
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(host.data, "10.1.0.0/24", ipMasq=True)}
    container = host.container()
    attachment = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(container.path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(bundle),
    }
    command = [*wrapper, str(bundle / "bridge")]
    environ = {"PATH": os.environ["PATH"], "CNI_COMMAND": "ADD", **attachment}
    done = subprocess.run(command, env=environ, input=json.dumps(config), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done
