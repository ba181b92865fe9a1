"""The system of a report: versions, where we run, the plugins; and what tells which machine it is."""

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterator

from core.cni.version import ALL, NEWEST, SUITE
from launcher import collection, interfaces, plugin, report_tools, routes
from launcher.derivation import executables
from launcher.redaction import Redaction
from launcher.report_part import attempt, content, line_of
from launcher.session import Session
from launcher.surroundings import OF_THE_MACHINE, foreign, has_all_pids

TOOLS = (("iptables", "-V"), ("ip6tables", "-V"), ("nft", "-v"), ("ip", "-V"))
# Whose versions are told by the package manager's files: a daemon's executable is not started for it.
PACKAGES = (
    *("containerd", "containerd.io", "cri-o", "docker.io", "docker-ce", "moby-engine", "podman", "buildah"),
    *("runc", "crun", "kubelet", "nerdctl", "nomad", "lxc", "incus", "netavark", "firewalld", "nftables"),
    *("iptables", "ufw", "containernetworking-plugins", "kubernetes-cni", "cri-tools"),
)
RUNTIMES = ("containerd", "crio", "dockerd", "podman", "runc", "crun", "kubelet", "k3s", "k0s", "nomad")
WHERE = ("/usr/local/bin", "/usr/local/sbin", "/opt/bin", *report_tools.DIRECTORIES[:2])
DPKG, APK = "/var/lib/dpkg/status", "/lib/apk/db/installed"
LARGEST = 1 << 26  # bytes of a package manager's file


MASKS = ipaddress.ip_network("8000::/1")  # nothing up there is public, but masks look like it
# Links that no machine has from its maker: their MACs are drawn.
MADE = ("bridge", "veth", "ifb", "dummy", "tun")


def identity() -> dict[str, str]:
    """What tells which machine it is, each with what stands for it: names, IDs, MACs, public addresses."""
    name = os.uname().nodename
    known = dict.fromkeys((name, name.partition(".")[0], line_of("/etc/hostname")), "<host name>")
    home = os.path.expanduser("~")
    known |= {home: "<home>"} if home not in ("/", "/root") else {}
    known |= {line_of("/etc/machine-id"): "<machine ID>"}
    known |= {line_of("/proc/sys/kernel/random/boot_id"): "<boot ID>"}
    for link in interfaces.interfaces().values():
        if link["name"] != "lo" and link["kind"] not in MADE:
            known[link["mac"]] = f"<MAC of {link['name']}>"
        for text in (each.partition("/")[0] for each in link["addresses"]):
            known |= {text: f"<public address of {link['name']}>"} if is_public(text) else {}
    for each in routes.routes():
        for text in (each.gateway, each.destination.partition("/")[0]):
            known |= (
                {text: f"<public network of {each.link}>"} if is_public(text) and text not in known else {}
            )
    return {text: shown for text, shown in known.items() if len(text) > 2 and text != "localhost"}


def is_public(text: str) -> bool:
    """Whether a text is an address of the Internet's."""
    try:
        address = ipaddress.ip_address(text)
        return address.is_global and not address.is_multicast and address not in MASKS
    except ValueError:
        return False


def versions(session: Session, redaction: Redaction) -> Iterator[str]:
    """Ours, the system's, those of tools and of runtimes."""
    yield f"cniwire      {SUITE}, CNI {ALL[0]} to {NEWEST}, Python {sys.version.split()[0]}"
    told = os.uname()
    yield f"kernel       {told.sysname} {told.release} {told.machine}"
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', line_of("/etc/os-release"), re.MULTILINE))
    yield f"system       {release.get('PRETTY_NAME', 'without /etc/os-release')}"
    yield ""
    for name, word in TOOLS:
        yield from attempt(f"{name:<12}", told_version(name, word))
    yield ""
    for name, version in packages():
        yield f"{name:<28} {version}"
    for name in RUNTIMES:
        for path in (os.path.join(folder, name) for folder in WHERE):
            if os.path.isfile(path):
                yield told_file(path)


def told_version(name: str, word: str) -> Callable[[], Iterator[str]]:
    """What to call for the version of a program."""
    return lambda: report_tools.version(name, word)


def told_file(path: str) -> str:
    """Size of an executable, and where a link leads."""
    real = os.path.realpath(path)
    return f"{path}{f' → {real}' if real != path else ''}, {os.stat(path).st_size} bytes"


def packages() -> list[tuple[str, str]]:
    """Name and version of packages that matter, as Debian's or Alpine's package manager notes them."""
    found = []
    for text in parts_of(DPKG):
        told = dict(re.findall(r"^(Package|Status|Version): (.+)$", text, re.MULTILINE))
        if told.get("Package") in PACKAGES and told.get("Status", "").endswith(" installed"):
            found.append((told["Package"], told.get("Version", "")))
    for text in parts_of(APK):
        told = dict(re.findall(r"^([PV]):(.+)$", text, re.MULTILINE))
        if told.get("P") in PACKAGES:
            found.append((told["P"], told.get("V", "")))
    return sorted(found)


def parts_of(path: str) -> list[str]:
    """The paragraphs of a package manager's file; none where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST).split("\n\n")
    except OSError:
        return []


def surroundings(session: Session, redaction: Redaction) -> Iterator[str]:
    """Rights, namespaces, security modules, the directories that are used."""
    status = dict(line.split(":\t", 1) for line in open_status().splitlines() if ":\t" in line)
    rights = f"capabilities {status.get('CapEff', '?')}, seccomp {status.get('Seccomp', '?')}"
    yield f"user {os.geteuid()}, {rights}"
    machine = "the machine's own" if os.path.exists(OF_THE_MACHINE) else "not the machine's own"
    first = "the machine's first" if has_all_pids() else "not the machine's first"
    yield f"network namespace: {machine}; pid namespace: {first}"
    yield f"a reason to judge nothing from here: {foreign() or 'none'}"
    enforcing = line_of("/sys/fs/selinux/enforce") or "absent"
    yield f"AppArmor {line_of('/sys/module/apparmor/parameters/enabled') or 'absent'}, SELinux {enforcing}"
    yield f"configurations in {session.conf_dir}"
    yield f"plugins in {', '.join(session.runtime.plugin_dirs) or 'no directory'}"
    yield f"results in {', '.join(session.cache.folders)}"
    budget = os.environ.get("CNIWIRE_TIMEOUT")
    yield f"CNIWIRE_TIMEOUT {budget or 'is not set'}"


def open_status() -> str:
    """/proc/self/status."""
    return content("/proc/self/status").decode()


def plugins(session: Session, redaction: Redaction) -> Iterator[str]:
    """What is in the directories of plugins, and what those that are configured say of themselves."""
    for folder in session.runtime.plugin_dirs:
        yield from attempt(folder, told_folder(folder))
    yield ""
    for kind in configured(session):
        yield from attempt(kind, told_plugin(session, kind))


def told_folder(folder: str) -> Callable[[], Iterator[str]]:
    """What to call for the files of a directory."""

    def told() -> Iterator[str]:
        names = sorted(os.listdir(folder))
        yield f"{folder}: {len(names)} files"
        for name in names:
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            leads = f" → {real}" if os.path.islink(path) else ""
            size = os.stat(path).st_size if os.path.isfile(path) else 0
            right = "" if os.access(path, os.X_OK) else ", not executable"
            yield f"    {name:<20} {size:>10}{leads}{right}"

    return told


def configured(session: Session) -> list[str]:
    """The types of plugins that the networks name, those included that only a cache knows."""
    networks = collection.networks(session, [], [])
    return list(dict.fromkeys(each for it in networks for one in it.plugins for each in executables(one)))


def told_plugin(session: Session, kind: str) -> Callable[[], Iterator[str]]:
    """What to call for what a plugin says of itself: as `status` does, it is executed."""

    def told() -> Iterator[str]:
        path = plugin.find(kind, session.runtime.plugin_dirs)
        listed = session.runtime.versions(kind)
        yield f"{path}: CNI {', '.join(listed)}"

    return told
