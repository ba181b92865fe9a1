"""The OCI image: made by Buildah, read by Skopeo, and what is in it works where nothing else is."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundle.release import contents, image
from bundle.release.tree import Tree
from core.cni.version import SUITE
from launcher.installation.versions import PLUGINS
from launcher.installation.versions import STATIC as NAME
from tests.e2e.test_deb import wire
from tests.harness.forms import BUILT, CHROOT, LINKED, TOLD, Root

DIST = Path(__file__).resolve().parents[2] / "dist" / "cniwire"


def skopeo(*words: str | Path) -> str:
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def files() -> Tree:
    """With the static file, where make dist has made it; else with a script in its place."""
    if not (DIST / "cniwire").exists():
        pytest.skip(f"there is no {DIST} (make bundle)")
    plugins = contents.linked(BUILT) if (BUILT / NAME).exists() else LINKED
    return contents.image(plugins, contents.launcher(DIST, "papers"), contents.outside(DIST))


@pytest.fixture(scope="module")
def archive(files: Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The image's archive, and its digest."""
    if not (shutil.which("buildah") and shutil.which("skopeo")):
        pytest.skip("buildah or skopeo is not installed")
    folder = tmp_path_factory.mktemp("image")
    yield folder / "made.tar", image.build(TOLD, files, folder / "scratch", folder / "made.tar")
    shutil.rmtree(folder)


@pytest.fixture
def root(archive: tuple[Path, str], tmp_path: Path) -> Path:
    """The root directory that a runtime makes of it."""
    skopeo("copy", "--insecure-policy", f"oci-archive:{archive[0]}:1.2.3", f"dir:{tmp_path}/copy")
    (layer,) = json.loads((tmp_path / "copy" / "manifest.json").read_text())["layers"]
    made = tmp_path / "root"
    made.mkdir()
    packed = tmp_path / "copy" / layer["digest"].partition(":")[2]
    subprocess.run(["tar", "-C", made, "-xf", packed], check=True)
    return made


def test_an_image_has_the_same_digest_again(archive: tuple[Path, str], files: Tree, tmp_path: Path) -> None:
    """And its archive the same bytes."""
    again = tmp_path / "again.tar"
    assert image.build(TOLD, files, tmp_path / "else" / "where", again) == archive[1]
    assert again.read_bytes() == archive[0].read_bytes()


def test_skopeo_inspects_and_copies_it(archive: tuple[Path, str], tmp_path: Path) -> None:
    name = f"oci-archive:{archive[0]}:1.2.3"
    skopeo("copy", "--insecure-policy", name, f"oci:{tmp_path}/layout:here")
    told: list[Any] = [json.loads(skopeo("inspect", each)) for each in (name, f"oci:{tmp_path}/layout:here")]
    assert [each["Digest"] for each in told] == [archive[1]] * 2
    words = "org.opencontainers.image"
    labels = {key.removeprefix(f"{words}."): value for key, value in told[0]["Labels"].items()}
    assert {key: labels[key] for key in ("title", "version", "revision", "created", "licenses")} == {
        "title": "cniwire",
        "version": "1.2.3",
        "revision": TOLD.commit,
        "created": "2023-11-14T22:13:20Z",
        "licenses": "Apache-2.0",
    }
    assert (told[0]["Os"], told[0]["Architecture"], len(told[0]["Layers"])) == ("linux", "amd64", 1)
    config = json.loads(skopeo("inspect", "--config", name))["config"]
    assert config["Entrypoint"] == ["/usr/bin/cniwire"]


def test_the_launcher_runs_in_it(root: Path, tmp_path: Path) -> None:
    """There is no shell and no Python, but its C library; /dev and /proc are a runtime's to give."""
    inside, given = Root(root, "/opt/cni/bin", tmp_path / "scripts"), (Path("/dev"), Path("/proc"))
    inside.see(*given)
    done = subprocess.run([CHROOT, root, "/usr/bin/cniwire", "--version"], capture_output=True, text=True)
    inside.forget(*given)
    assert (done.stdout, done.stderr) == (f"cniwire {SUITE}, CNI 0.1.0 to 1.1.0\n", "")
    assert not [path for path in root.rglob("*") if path.name in ("sh", "python3", "busybox")]


def test_its_plugins_are_copied_to_a_node_and_work_there(root: Path, tmp_path: Path) -> None:
    """`cp -f /opt/cni/bin/* /host/opt/cni/bin/`, as installers do; then ADD, CHECK, DEL."""
    node = tmp_path / "node" / "opt/cni/bin"
    node.mkdir(parents=True)
    copied = sorted((root / "opt/cni/bin").iterdir())
    subprocess.run(["cp", "-f", *copied, node], check=True)
    assert {*PLUGINS} < {path.name for path in node.iterdir() if path.is_file() and not path.is_symlink()}
    if not (BUILT / NAME).exists():
        pytest.skip(f"there is no {BUILT / NAME} (make dist)")
    for place, folder in ((root, "image"), (tmp_path / "node", "copies")):
        (tmp_path / folder).mkdir()
        wire(Root(place, "/opt/cni/bin", tmp_path / folder / "scripts"), tmp_path / folder)
