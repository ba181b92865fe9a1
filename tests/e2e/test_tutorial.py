"""docs/tutorial.md and docs/lab.md, line by line as they stand there, typed into a lab."""

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from launcher import lab
from tests.harness import pages
from tests.harness.host import Host
from tests.harness.typed import in_a_lab

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = pages.in_order("tutorial")
SHOWN = [number for number, (title, _) in enumerate(BLOCKS) if pages.is_shown(title)]
# What differs from run to run: times, and the name of a container that nobody named.
VARYING = ((re.compile(r"\d+ ms"), "N ms"), (re.compile(r"run-\d+-\d+"), "run-N"))
# Words that the commands of a section of the page about labs print, in this order.
LAB = {
    "A lab by hand": ("10.77.0.2/24",),
    "Two networks, one container in both": (
        *("network back is in", "db/eth0 is on back", "web/eth1 is on back", "front  bridge"),
        *("default via 10.78.0.1 dev eth0", "10.79.0.0/24 dev eth1", "10.79.0.0/24 dev eth0"),
    ),
    "An outside world": ("published 8080→80/tcp", "Directory listing"),
    "Your own list of plugins": ("eth0@", "02:00:00:00:00:07"),
    "The plugins without any runtime": ("CNI_COMMAND=ADD", "stdin: {", "stdout: {", "is off demo"),
}

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def same(text: str) -> list[str]:
    """The lines of what was printed, without indentation and without what differs from run to run."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_tutorial_begins_as_the_readme_does() -> None:
    (_, before), (_, lab), *_ = BLOCKS
    assert before.splitlines() == ["make run", "export PATH=$PWD/.venv/bin:$PATH"]
    assert lab == "cniwire lab\n"


def test_what_the_tutorial_shows_is_what_is_printed(host: Host, tmp_path: Path) -> None:
    """Each block that shows something is what the block before it has printed at last."""
    typed = [number for number in range(2, len(BLOCKS)) if number not in SHOWN]
    printed = dict(zip(typed, in_a_lab(host.plugins, tmp_path, [BLOCKS[number][1] for number in typed])))
    assert "not found" not in "".join(printed.values())
    assert len(SHOWN) == 10
    for number in SHOWN:
        wanted, found = same(BLOCKS[number][1]), same(printed[number - 1])
        assert found[-len(wanted) :] == wanted, BLOCKS[number - 1][1]


def test_the_start_page_shows_a_container_in_a_lab(host: Host, tmp_path: Path) -> None:
    (first, *_) = pages.blocks(pages.sections("index")["Try it"]).values()
    make, path, lab = first.splitlines()
    assert f"{make}\n{path}\n" == BLOCKS[0][1]
    assert "10.77.0.2/24" in in_a_lab(host.plugins, tmp_path, [lab])[0]


def test_the_pictures_show_what_is_printed(tmp_path: Path) -> None:
    """If not: python -m manual.pictures docs/assets. How rich draws it is not compared."""

    def words(picture: Path) -> str:
        return "".join(unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)", picture.read_text()))

    command = [sys.executable, "-m", "manual.pictures", str(tmp_path)]
    environ = {key: value for key, value in os.environ.items() if key != lab.MARK}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=120)
    for picture in (pages.DOCS / "assets").glob("*.svg"):
        assert words(tmp_path / picture.name).split() == words(picture).split()


def lab_blocks(title: str) -> list[str]:
    """The blocks of a section of docs/lab.md; those before the first section by the page's title."""
    page = (pages.DOCS / "lab.md").read_text().partition("\n## ")[0]
    return [*pages.blocks(pages.sections("lab").get(title) or page).values()]


def test_every_section_with_commands_is_tried() -> None:
    assert [*LAB][1:] == [title for title in pages.sections("lab") if lab_blocks(title)]


@pytest.mark.parametrize("title", LAB)
def test_a_section_about_labs_does_what_it_says(title: str, host: Host, tmp_path: Path) -> None:
    printed = "".join(in_a_lab(host.plugins, tmp_path, lab_blocks(title)))
    assert [words for words in ("✘", "not found") if words in printed] == [], printed
    assert re.search(".*".join(map(re.escape, LAB[title])), printed, re.DOTALL), printed
