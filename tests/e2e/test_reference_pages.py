"""docs/nft.md, docs/files.md and docs/errors.md: what they list is what there is."""

import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.nft import names
from tests.harness import pages
from tests.harness.cniwire import Cniwire
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.typed import in_a_lab

NFT, FILES = pages.sections("nft"), pages.sections("files")
# What a word in capitals on a page stands for.
WORDS = {
    "DIGITS": "????????*",
    "LENGTH": "*",
    "POLICY-BRIDGE": "*",
    "NETWORK": "*",
    "ADDRESS": "*[.:]*",
    "N": "[0-9]",
    "ID": "*",
    "IFNAME": "*",
}
OF_FIREWALLD = {"zoned", "zones"}  # which no test here has
MAPPINGS = [mapping(8080), mapping(8081, 81, hostIP="127.0.0.1")]


def pattern(name: str) -> str:
    return re.sub("|".join(sorted(WORDS, key=len, reverse=True)), lambda found: WORDS[found[0]], name)


def code(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def both_families(listed: list[str]) -> set[str]:
    """Patterns of names; the page names IPv4's."""
    found = {pattern(name) for name in listed}
    return found | {re.sub(r"4(?=$|-(?!32))", "6", name) for name in found}


def listed(title: str, table: str) -> set[str]:
    rows = [row for row in pages.rows(NFT[title]) if row[1] == table]
    return both_families([name for row in rows for name in code(row[0])])


class Ruleset(NamedTuple):
    """The whole rule set: its objects, and as nft prints it."""

    objects: list[dict[str, Any]]
    text: str


@pytest.fixture(scope="module")
def ruleset(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    """With a container in each of the page's networks."""
    shown = [json.loads(block) for block in pages.blocks(NFT["The networks that show all of it"]).values()]
    with Host(plugins, tmp_path_factory.mktemp("objects")) as host:
        for number, document in enumerate(shown):
            for plugin in document["plugins"]:
                if "ipam" in plugin:
                    plugin["ipam"]["dataDir"] = str(host.data)
            network = host.network(*document["plugins"], name=document["name"])
            handed = [mapping(8082)] if number else MAPPINGS
            network.add(host.container(f"c{number}"), portMappings=handed)
        found = json.loads(host.run("nft --json list ruleset"))["nftables"]
        return Ruleset(found, host.run("nft list ruleset"))


def objects(ruleset: Ruleset, *kinds: str) -> list[dict[str, Any]]:
    return [each[kind] for each in ruleset.objects for kind in kinds if kind in each]


@pytest.mark.parametrize("family", ["inet", "bridge"])
@pytest.mark.parametrize(("title", "kinds"), [("Maps and sets", ("map", "set")), ("Chains", ("chain",))])
def test_the_objects_of_a_table_are_those_that_the_page_lists(
    title: str, kinds: tuple[str, ...], family: str, ruleset: Ruleset
) -> None:
    """None is missing on the page, and none is there that nobody makes."""
    there = {each["name"] for each in objects(ruleset, *kinds) if each["family"] == family}
    patterns = listed(title, family)
    assert [name for name in there if not any(fnmatchcase(name, each) for each in patterns)] == []
    unseen = {each for each in patterns if not any(fnmatchcase(name, each) for name in there)}
    assert {each for each in unseen if not each.startswith(tuple(OF_FIREWALLD))} <= {
        "hairpin6-*",
        "hostports6-????????*",
        "hostip_hostports6-????????*",
    }


def test_the_hooks_of_chains_are_those_of_the_page(ruleset: Ruleset) -> None:
    shown = {(row[1], *code(row[0]), row[2]) for row in pages.rows(NFT["Chains"]) if row[2][-1:].isdigit()}
    there = {
        (each["family"], each["name"], f"{each['hook']}, {each['prio']}")
        for each in objects(ruleset, "chain")
        if "hook" in each
    }
    assert there == shown


def test_each_example_of_an_element_is_there(ruleset: Ruleset) -> None:
    said = re.sub(r' comment "[^"]*"', "", ruleset.text)
    examples = [text for row in pages.rows(NFT["Maps and sets"]) for text in code(row[4]) if row[4]]
    assert len(examples) >= 9
    assert [text for text in examples if text not in said] == []
    assert f'comment "{names.MARK}"' in ruleset.text
    assert f"`{names.MARK}`" in (pages.DOCS / "nft.md").read_text()


def test_files_are_where_the_page_says(host: Host, tmp_path: Path) -> None:
    """With the test's own folders for those that a node has."""
    cniwire = Cniwire(host, host.plugins)
    backup = tmp_path / "tuning"
    cniwire.network(
        "net",
        bridge(host.data, "10.1.0.0/24", "fd01::/64"),
        PORTMAP,
        {"type": "tuning", "mtu": 1400, "dataDir": str(backup)},
    )
    name = cniwire.name("box")
    try:
        cniwire("up", "net", name)
        tables = [FILES["What is written by plugins"], FILES["What is written by cniwire"]]
        shown = [path for table in tables for row in pages.rows(table) for path in code(row[0])]
        places = {
            "/var/lib/cni/networks": host.data,
            "/var/lib/cni/results": cniwire.cache / "results",
            "/run/cni/tuning": backup,
        }
        for begin, folder in places.items():
            patterns = [pattern(path.removeprefix(begin + "/")) for path in shown if path.startswith(begin)]
            there = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
            assert there
            assert [path for path in there if not any(fnmatchcase(path, each) for each in patterns)] == []
            assert [each for each in patterns if not any(fnmatchcase(path, each) for path in there)] == []
        private = [*(cniwire.cache / "results").iterdir(), *host.data.rglob("10.*")]
        assert {os.stat(path).st_mode & 0o777 for path in private} == {0o600}
    finally:
        cniwire("down", name)
        cniwire.close()
    assert not [path for path in backup.rglob("*") if path.is_file()]


def test_a_plugin_is_called_by_hand_as_the_page_says(host: Host, tmp_path: Path) -> None:
    (block,) = pages.blocks(pages.sections("protocol")["By hand"]).values()
    (printed,) = in_a_lab(host.plugins, tmp_path, [block])
    assert re.search(
        r'"address": "10\.5\.0\.2/24".*eth0@if\d+ +UP +10\.5\.0\.2/24.*"supportedVersions"',
        printed,
        re.DOTALL,
    ), printed
    assert '"code"' not in printed


def test_error_codes_lead_to_their_sections() -> None:
    coded = [title for title in pages.sections("troubleshooting") if title[:1].isdigit()]
    anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in coded]
    wanted = [
        [f"error {title.partition(': ')[0]}", f"[{title.partition(': ')[2]}](troubleshooting.md#{anchor})"]
        for title, anchor in zip(coded, anchors)
    ]
    assert pages.rows((pages.DOCS / "errors.md").read_text()) == wanted
