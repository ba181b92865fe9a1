"""The image of the release, executed as the DaemonSets say: installs, wires, is upgraded, is removed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kubernetes.test_traffic import reach
from tests.harness.cluster import Cluster, Node
from tests.harness.kubelet import ROOT


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The root of the image: the layers of an OCI archive, one upon the other."""
    archives = sorted((ROOT / "dist" / "release").glob("*.oci.tar"))
    if not archives:
        pytest.skip("needs the image of a release in dist/release")
    layout, root = tmp_path / "layout", tmp_path / "image"
    for folder in (layout, root):
        folder.mkdir()
    subprocess.run(["tar", "-xf", archives[-1], "-C", layout], check=True)

    def blob(descriptor: dict[str, Any]) -> Path:
        return layout / "blobs" / str(descriptor["digest"]).replace(":", "/")

    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    for layer in json.loads(blob(entry).read_text())["layers"]:
        subprocess.run(["tar", "-xzf", blob(layer), "-C", root], check=True)
    return root


def installed(node: Node) -> list[str]:
    """The names in the plugin directory."""
    return sorted(path.name for path in (node.files / "opt/cni/bin").iterdir() if path.name[0] != ".")


def test_the_image_is_all_that_a_node_needs(cluster: Cluster) -> None:
    """Another suite's plugins are replaced and come back; pods outlive an upgrade."""
    first, second = cluster.node(starts=False), cluster.node(starts=False)
    foreign = first.files / "opt/cni/bin/bridge"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("#!/bin/sh\necho foreign\n")
    foreign.chmod(0o755)
    for node in (first, second):
        node.start()
    first.has_routes(second)
    second.has_routes(first)
    assert {"bandwidth", "bridge", "host-local", "loopback", "portmap"} <= {*installed(first)}
    one, other = first.pod("a"), second.pod("b")
    reach(one, other)
    assert first.probe() == 0
    assert first.stop() == 0
    first.start()
    reach(one, other)
    first.end(one[0])
    first.stop()
    first.start("remove.yaml")
    first.has_routes()
    first.says("removed /host/etc/cni/net.d/10-cniwire.conflist")
    assert installed(first) == ["bridge"]
    assert "foreign" in foreign.read_text()
