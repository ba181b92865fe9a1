"""docs/runtimes/oci-hooks.md shows the files of conf/runtimes as they are, and every annotation."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from launcher import oci_state

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "conf" / "runtimes"
PAGE = (ROOT / "docs" / "runtimes" / "oci-hooks.md").read_text()
SHOWN = ("config.json", "hooks.d/cniwire.json", "always.d/cniwire.json", "daemon.json", "lxc.conf")


def test_every_example_is_shown_or_named() -> None:
    there = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert there == {*SHOWN, "runc-cniwire"}
    assert "runc-cniwire" in PAGE


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_stands_on_the_page_as_it_is(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert f"\n\n{textwrap.indent(text, '    ')}\n" in PAGE
    if name.endswith(".json"):
        json.loads(text)


def test_the_page_has_all_annotations() -> None:
    assert re.findall(r"^\| `(cniwire\.\w+)` \|", PAGE, re.MULTILINE) == [*oci_state.KEYS]
