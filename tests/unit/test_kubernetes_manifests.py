"""conf/kubernetes: valid by the published schemas, the same by kustomize and by Helm, tight as it is said."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle import chart
from core.address import parse_cidr
from core.cni.version import SUITE
from launcher import foresight
from launcher.conflist import parse_list
from launcher.node import conflist, kernel
from tests.harness import pages

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "conf" / "kubernetes"
VERSIONS = ("1.25", "1.29", "1.33")  # the oldest of which there are schemas, and two since
Object = dict[str, Any]
PAGE = pages.sections("kubernetes")


def objects(name: str) -> list[Object]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


APPLIED = [each for name in chart.FILES for each in objects(name)]
PODS = [objects(name)[0]["spec"]["template"]["spec"] for name in ("daemonset.yaml", "remove.yaml")]
CONTAINERS = [each for pod in PODS for each in (*pod["initContainers"], *pod["containers"])]


def ordered(found: list[Object]) -> list[Object]:
    """Objects in one order, and the text of the configuration as what it says."""
    for each in found:
        for name, text in each.get("data", {}).items():
            each["data"][name] = json.loads(text) if isinstance(text, str) else text
    return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))


def kustomized(folder: Path, newest: bool = False) -> str:
    """What kubectl makes of a folder. newest: by a kustomize that knows `patches`."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("needs the program kubectl (package kubernetes-client)")
    about = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True).stdout
    if newest and not re.search(r"Kustomize Version: v[5-9]", about):
        pytest.skip("needs a kubectl of 1.27 or newer: the kustomize of this one is too old")
    return subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_by_the_published_schemas(version: str) -> None:
    """Strictly: a key that is not known is none."""
    schemas = pytest.importorskip(
        "kubernetes_validate", reason="needs kubernetes-validate (extra kubernetes)"
    )
    for each in (*APPLIED, *objects("remove.yaml")):
        schemas.validate(each, version, strict=True)
        with pytest.raises(schemas.ValidationError):
            schemas.validate({**each, "metdata": {}}, version, strict=True)


def test_kustomize_gives_the_manifests() -> None:
    assert ordered(list(yaml.safe_load_all(kustomized(FOLDER)))) == ordered(APPLIED)


def test_the_chart_is_made_of_the_manifests() -> None:
    """`python -m bundle.chart` after a change of them."""
    files = {
        str(path.relative_to(FOLDER / "chart")): path.read_text()
        for path in (FOLDER / "chart").rglob("*")
        if path.is_file()
    }
    assert files == chart.chart()


def test_a_manifest_that_is_otherwise_makes_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chart.PLACES, "rbac.yaml", [("namespace: default", 1, "x")])
    with pytest.raises(ValueError, match=r"rbac.yaml: want 1 times 'namespace: default', found 0"):
        chart.chart()


def test_helm_gives_the_manifests() -> None:
    """With the chart's own values; and with others what they say."""
    helm = pytest.importorskip("helm_python.chart", reason="needs helm-python-sdk (extra kubernetes)")
    assert helm.lint(str(FOLDER / "chart"))["errors"] == []
    loaded = helm.Chart.load(str(FOLDER / "chart"))

    def rendered(values: Object, namespace: str = "kube-system") -> list[Object]:
        files = loaded.render(values, name="cniwire", namespace=namespace)
        return ordered([each for text in files.values() for each in yaml.safe_load_all(text) if each])

    assert rendered({}) == ordered(APPLIED)
    values = {
        "image": {"repository": "registry.example/net/cniwire", "tag": "x"},
        "imagePullSecrets": [{"name": "pull"}],
        "podNetworks": ["10.9.0.0/16"],
        "tolerations": [],
        "resources": {"node": {"limits": {"memory": "1Gi"}}},
    }
    made = {each["kind"]: each for each in rendered(values, "net")}
    pod = made["DaemonSet"]["spec"]["template"]["spec"]
    assert {each["image"] for each in pod["initContainers"] + pod["containers"]} == {
        "registry.example/net/cniwire:x"
    }
    assert (pod["imagePullSecrets"], pod["tolerations"]) == ([{"name": "pull"}], [])
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert made["ConfigMap"]["data"]["10-cniwire.conflist"]["plugins"][0]["ipMasqOutside"] == ["10.9.0.0/16"]
    namespaces = {each["metadata"].get("namespace") for each in made.values()}
    assert namespaces | {made["ClusterRoleBinding"]["subjects"][0]["namespace"]} == {"net", None}


def test_the_configuration_is_one_for_every_family() -> None:
    """Filled in it is a list that our plugins know every key of; the cluster's pods keep their addresses."""
    ((name, text),) = objects("conflist.yaml")[0]["data"].items()
    four, six = parse_cidr("10.244.3.0/24"), parse_cidr("fd00:10:244:3::/64")
    for networks in ([four], [six], [four, six]):
        made = conflist.filled(text.encode(), networks, "n")
        network = parse_list(json.dumps(made).encode(), name)
        assert foresight.misspelt(network) == []
        assert conflist.masqueraded(made, networks) == []
        assert len(made["plugins"][0]["ipam"]["ranges"]) == len(made["plugins"][0]["ipam"]["routes"])


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda each: each["name"])
def test_a_container_may_do_no_more_than_it_needs(container: Object) -> None:
    """Nothing is written but volumes; of all capabilities, that for routes where there are routes."""
    held = {"add": ["NET_ADMIN"]} if container["command"][1] == "node" else {}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **held},
    }
    assert container["image"] == f"cniwire:{SUITE}"


def test_nothing_of_the_node_is_shared_but_its_network_and_three_folders() -> None:
    paths = [each["hostPath"]["path"] for pod in PODS for each in pod["volumes"] if "hostPath" in each]
    assert {*paths} == {"/opt/cni/bin", "/etc/cni/net.d", "/var/lib/cni/networks"}
    assert all(pod["hostNetwork"] and not {"hostPID", "hostIPC"} & {*pod} for pod in PODS)
    (role,) = [each for each in APPLIED if each["kind"] == "ClusterRole"]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]


def test_the_kustomization_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Base, image and networks of one's own."""
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    own = tmp_path / "own"
    own.mkdir()
    (block,) = [each for each in pages.blocks(PAGE["Install"]).values() if "newName" in each]
    (own / "kustomization.yaml").write_text(block)
    patch = (FOLDER / "conflist.yaml").read_text().replace("10.244.0.0/16", "10.9.0.0/16")
    (own / "conflist.yaml").write_text(patch)
    made = {each["kind"]: each for each in yaml.safe_load_all(kustomized(own, newest=True))}
    pod = made["DaemonSet"]["spec"]["template"]["spec"]
    images = {each["image"] for each in pod["initContainers"] + pod["containers"]}
    assert images == {f"registry.example/net/cniwire:{SUITE}"}
    assert '"ipMasqOutside": ["10.9.0.0/16", ' in made["ConfigMap"]["data"]["10-cniwire.conflist"]


def test_the_page_quotes_what_the_agent_says() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "launcher" / "node").glob("*.py"))
    said = [row[0].strip("`") for row in pages.rows(PAGE["See how it fares"]) if row[0].startswith("`")]
    assert len(said) >= 10
    assert [
        words for words in said if any(part not in texts for part in re.split(": |IPv6|NAME", words))
    ] == []
    assert f"ip route show proto {kernel.RTPROT_CNIWIRE}" in PAGE["What it does on a node"]


def test_the_commands_of_the_page_are_those_of_the_manifests() -> None:
    """What is executed in the agent's container is its probe; what helm is told are values of the chart."""
    probe = PODS[0]["containers"][0]["readinessProbe"]["exec"]["command"]
    assert f"-- {' '.join(probe)}\n" in PAGE["See how it fares"]
    values = yaml.safe_load(chart.chart()["values.yaml"])
    for name in re.findall(r"--set \W?([\w.]+)=", PAGE["Install"]):
        place = values
        for part in name.split("."):
            place = place[part]
