"""What containers run in these tests: a root filesystem of busybox-static alone, and images made of it."""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
NAME = "localhost/box:latest"
APPLETS = ("cat", "hostname", "httpd", "ifconfig", "ip", "nc", "ping", "sh", "sleep", "true", "wget")
MOUNT_POINTS = ("dev", "etc", "proc", "run", "sys", "tmp")
PAGE, GREETING = "/index.html", "hello"  # a file in it, and what it says
SERVE = ("httpd", "-f", "-p", "80", "-h", "/")  # a command that shows it
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}


def root(folder: Path) -> Path:
    """Make a root filesystem in *folder*, which must not exist yet; return it."""
    for name in ("bin", *MOUNT_POINTS):
        (folder / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "bin" / "busybox")
    for applet in APPLETS:
        (folder / "bin" / applet).symlink_to("busybox")
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (folder / "etc" / "group").write_text("root:x:0:\n")
    (folder / PAGE.strip("/")).write_text(GREETING)
    return folder


def tarball(folder: Path) -> Path:
    """Make `box.tar` in *folder*: the root filesystem alone, as `import` commands take it."""
    tree, path = root(folder / "box"), folder / "box.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(tree, arcname=".", filter=owned_by_root)
    shutil.rmtree(tree)
    return path


def archive(folder: Path, name: str = NAME, command: Sequence[str] = ("sh",)) -> Path:
    """Make `image.tar` in *folder*: the image *name*, which runs *command*, as `docker save` writes it.

    docker, podman, skopeo and `ctr images import` read it.
    """
    layer = tarball(folder).read_bytes()
    config = {
        "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    described = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    path = folder / "image.tar"
    with tarfile.open(path, "w") as made:
        for member, content in (
            (config_name, described),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            about = tarfile.TarInfo(member)
            about.size = len(content)
            made.addfile(about, BytesIO(content))
    return path


def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member of a tarball as root's."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
