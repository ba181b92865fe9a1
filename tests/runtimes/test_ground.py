"""What all of these tests stand on."""

import subprocess
import tarfile
from pathlib import Path

from tests.runtimes import images
from tests.runtimes.node import CONF_DIR, NAMED, STATE_DIR, Node, bridged
from tests.runtimes.plugin_directory import OTHERS, OURS


def test_a_node_has_our_plugins_and_nothing_else(node: Node) -> None:
    assert sorted(path.name for path in node.plugins.iterdir()) == sorted(OURS)
    assert [path for folder in OTHERS for path in Path(folder).glob("*")] == []


def test_what_a_container_leaves_is_seen(node: Node) -> None:
    """Links, elements, reservations, cached results, named namespaces; and that all of it is gone."""
    chain = bridged("br7", "10.88.7.0/24")
    node.network("net", *chain)
    assert (CONF_DIR / "net.conflist").exists()
    network, box = node.host.network(*chain), node.host.container()
    published = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    network.add(box, portMappings=published)  # makes what is shared and stays
    network.delete(box)
    before = node.remains()
    network.add(box, portMappings=published)
    (STATE_DIR / "results").mkdir()
    (STATE_DIR / "results" / "net-c1-eth0").touch()
    (NAMED / "c1").touch()
    left = {" ".join(line.split()[:3]) for line in node.remains() - before}
    seen = ("host link", "host nft element", "file net/10.88.7", "file /var/lib/cni/results", "namespace c1")
    assert [wanted for wanted in seen if not any(line.startswith(wanted) for line in left)] == []
    network.delete(box)
    (STATE_DIR / "results" / "net-c1-eth0").unlink()
    (NAMED / "c1").unlink()
    assert node.remains() == before


def test_an_image_runs_in_its_root(tmp_path: Path) -> None:
    with tarfile.open(images.archive(tmp_path)) as made:
        assert "manifest.json" in made.getnames()
    root = images.root(tmp_path / "root")
    done = subprocess.run(["chroot", root, "/bin/cat", "/index.html"], capture_output=True, text=True)
    assert done.stdout == images.GREETING
