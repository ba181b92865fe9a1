"""The OCI image, FROM scratch, by Buildah: the suite for nodes that install it out of a container.

It has the plugins in /opt/cni/bin, the launcher as its entry point, and of the system the C library that this
one needs; neither a shell nor a package manager. Buildah keeps what it makes on the way in a folder of its
own, and so the machine's images are not touched.
"""

import json
import shutil
from pathlib import Path

from bundle.release.facts import DEBIAN, PURPOSE, Facts, run
from bundle.release.tarball import tar
from bundle.release.tree import Tree, below, write

WORDS = "org.opencontainers.image"


def labels(facts: Facts) -> dict[str, str]:
    told = {
        "title": "cniwire",
        "description": PURPOSE,
        "version": facts.version,
        "revision": facts.commit,
        "created": f"{facts.time:%Y-%m-%dT%H:%M:%SZ}",
        "licenses": "Apache-2.0",
    }
    return {f"{WORDS}.{name}": value for name, value in told.items() if value}


def build(facts: Facts, files: Tree, scratch: Path, target: Path) -> str:
    """Make the archive *target* (oci-archive), in the folder *scratch*, which is made and removed.

    Returns the digest of the image's manifest. Raises Refused.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "root"
    write(files, root, facts.epoch)
    storage = ("--root", scratch / "storage", "--runroot", scratch / "run", "--storage-driver", "vfs")
    buildah = ("buildah", *storage)
    try:
        container = run(*buildah, "from", "scratch").strip()
        run(*buildah, "copy", "--quiet", "--chown", "0:0", container, root, "/")
        settings = [f"--label={name}={value}" for name, value in labels(facts).items()]
        settings += ["--env=PATH=/usr/bin", "--workingdir=/", "--cmd=--help"]
        settings += ["--os=linux", f"--arch={DEBIAN[facts.machine]}", '--entrypoint=["/usr/bin/cniwire"]']
        run(*buildah, "config", *settings, container)
        layout = scratch / "layout"
        how = ("--quiet", "--rm", "--format=oci", "--disable-compression=false", f"--timestamp={facts.epoch}")
        run(*buildah, "commit", *how, container, f"oci:{layout}:{facts.version}")
        target.write_bytes(tar(below(layout), facts.epoch))
        return digest(layout)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def digest(layout: Path) -> str:
    """Of the one image in an OCI layout."""
    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    return str(manifest["digest"])
