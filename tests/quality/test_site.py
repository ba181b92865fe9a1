"""The site of docs/: it builds without a warning, loads nothing from elsewhere, leads to what is sought."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HREF = re.compile(r'<a\b[^>]*?\bhref="([^"]*)"')
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="([^"]*)"')
SOUGHT = {  # what somebody looks for, and words of the page, behind its anchor, that tell it
    "what it is": ("index.html", "CNI plugins that explain themselves"),
    "how to try it": ("tutorial.html", "cniwire lab"),
    "under containerd": ("runtimes/containerd.html", "/etc/cni/net.d"),
    "under CRI-O": ("runtimes/crio.html", "plugin_dirs"),
    "under Kubernetes": ("runtimes/kubernetes.html", "podCIDR"),
    "under Podman": ("runtimes/podman.html", "cni_plugin_dirs"),
    "under Buildah": ("runtimes/buildah.html", "cni_plugin_dirs"),
    "under nerdctl": ("runtimes/nerdctl.html", "CNI_PATH"),
    "under Nomad": ("runtimes/nomad.html", "cni_path"),
    "under Docker": ("runtimes/oci-hooks.html#docker", "--network none"),
    "under LXC": ("runtimes/oci-hooks.html#lxc", "lxc.hook.start-host"),
    "what a key does": ("keys.html#bridge", "hairpinMode"),
    "error 105": ("troubleshooting.html#105-a-host-port-is-taken", "host port 8080/tcp is already taken"),
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built here."""
    if not find_spec("mkdocs") or not find_spec("material"):
        pytest.fail("mkdocs-material is not installed: .venv/bin/pip install --editable '.[dev,docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert (done.returncode, re.findall("WARNING.*", said)) == (0, []), said
    return folder


def written(path: Path) -> str:
    """The text of a page itself, without navigation."""
    return path.read_text().partition("<article")[2].partition("</article>")[0]


def links(folder: Path, page: str) -> Iterator[str]:
    """Where the links in the text of a page lead, as paths in the site."""
    for target in HREF.findall(written(folder / page)):
        path, mark, anchor = target.partition("#")
        if not re.match(r"[a-z]+:", target):
            yield (
                os.path.normpath(os.path.join(os.path.dirname(page), path)) + mark + anchor if path else page
            )


@pytest.fixture(scope="session")
def near(site: Path) -> set[str]:
    """What is reached from the start page by three clicks on links that stand in texts."""
    reached, fresh = {"index.html"}, {"index.html"}
    for _ in range(3):
        pages = {page for page in {each.partition("#")[0] for each in fresh} if page.endswith(".html")}
        fresh = {link for page in pages for link in links(site, page)} - reached
        reached |= fresh
    return reached


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Fonts, icons and scripts are files of the site."""
    loaded = {target for page in site.rglob("*.html") for target in LOADED.findall(page.read_text())}
    assert {target for target in loaded if re.match(r"(?:[a-z]+:)?//", target)} == set()
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text()) == []


@pytest.mark.parametrize("what", SOUGHT)
def test_what_is_sought_is_within_three_clicks_of_the_start_page(
    what: str, site: Path, near: set[str]
) -> None:
    place, words = SOUGHT[what]
    assert place in near
    page, _, anchor = place.partition("#")
    text = written(site / page).partition(f'id="{anchor}"')[2] if anchor else written(site / page)
    assert words in re.sub(r"<[^>]+>", "", text).replace("&quot;", '"')


def test_no_list_or_table_has_become_plain_text(site: Path) -> None:
    """As GitHub shows it, so does the site: a list needs an empty line in front of it here."""
    for page in site.rglob("*.html"):
        shown = re.sub(r"<pre.*?</pre>|<code.*?</code>", "", written(page), flags=re.DOTALL)
        assert re.findall(r"^(?:\* |\| |\d+\. ).*|\*\*\w.*", shown, re.MULTILINE) == [], page.name


# Which module runs the commands and configurations that a page shows, but for those that need a cluster, a
# hypervisor or an installation.
TRIED = {
    "tutorial": "e2e/test_tutorial.py",
    "lab": "e2e/test_tutorial.py",
    "index": "e2e/test_tutorial.py",
    "install": "e2e/install/test_page.py",
    "kubernetes": "unit/test_kubernetes_manifests.py",
    "migrate": "e2e/test_migrate.py",
    "troubleshooting": "e2e/test_troubleshooting.py",
    "keys": "e2e/test_keys_page.py",
    "protocol": "e2e/test_reference_pages.py",
    "nft": "e2e/test_reference_pages.py",
    "commands": "unit/test_launcher_options.py",
    "new-plugin": "quality/test_documents.py",
    "runtimes/crio": "e2e/test_runtime_pages.py",
    "runtimes/kubernetes": "e2e/test_runtime_pages.py",
    "runtimes/nerdctl": "e2e/test_runtime_pages.py",
    "runtimes/nomad": "e2e/test_runtime_pages.py",
    "runtimes/virtual-machines": "e2e/test_virtual_machines_page.py",
    "runtimes/containerd": "runtimes/test_containerd.py",
    "runtimes/podman": "runtimes/test_podman.py",
    "runtimes/buildah": "runtimes/test_buildah.py",
    "runtimes/oci-hooks": "runtimes/test_oci_runtimes.py",
}
SHOWN = {"firewall", "firewalld"}  # the one rule that is written, and firewall-cmd


def test_every_page_with_blocks_has_a_test_that_reads_or_runs_them() -> None:
    docs = ROOT / "docs"
    with_blocks = {
        str(path.relative_to(docs).with_suffix(""))
        for path in docs.rglob("*.md")
        if re.search(r"^\n {4}\S", path.read_text(), re.MULTILINE)
    }
    assert with_blocks == {*TRIED, *SHOWN}
    assert [name for name in TRIED.values() if not (ROOT / "tests" / name).exists()] == []
