"""The man pages, and the page of commands: made of the same sources, complete, and without a warning."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.commands import COMMANDS, GROUPS
from launcher.installation.versions import PLUGINS
from manual import commands, man
from tests.harness import pages

# What a program says of a page that is not as it should be.
CHECKS = {
    "mandoc": ("mandoc", "-T", "lint", "-W", "warning"),
    "groff": ("groff", "-ww", "-K", "utf8", "-T", "utf8", "-man", "-z"),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of all pages, of a day long ago."""
    folder = tmp_path_factory.mktemp("man")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1")
        man.main(str(folder))
        yield folder


def text(path: Path) -> str:
    """A page as it is read: without fonts and escapes."""
    return (
        re.sub(r"\\f[BIR]|\\&", "", path.read_text())
        .replace("\\-", "-")
        .replace("\\(aq", "'")
        .replace("\\(ti", "~")
    )


def test_the_page_of_commands_is_what_help_prints() -> None:
    """If not: python -m manual.commands > docs/commands.md."""
    assert (pages.DOCS / "commands.md").read_text() == commands.text()
    assert {name for group in GROUPS.values() for name in group} == {*COMMANDS}


def test_there_is_a_page_for_each_executable_and_command(written: Path) -> None:
    wanted = {"cniwire.8", "cniwire-plugins.7", *(f"cniwire-{name}.8" for name in (*PLUGINS, *COMMANDS))}
    assert {path.name for path in written.rglob("*.*")} == wanted
    assert '"1970-01-01"' in (written / "man8" / "cniwire.8").read_text()


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugins_page_has_its_keys_and_its_example(name: str, written: Path) -> None:
    section, page = pages.sections("keys")[name], text(written / "man8" / f"cniwire-{name}.8")
    for row in pages.rows(section):
        assert f".TP\n{row[0].replace('`', '')}\n" in page
    (example,) = pages.blocks(section).values()
    assert "\n".join(example.splitlines()[:4]) in page


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_page_has_its_options_and_examples(name: str, written: Path) -> None:
    page, of = text(written / "man8" / f"cniwire-{name}.8"), commands.described()[name]
    assert [option for option, _ in of.options if f".TP\n{option}\n" not in page] == []
    assert [line for line in of.examples if line not in page] == []


@pytest.mark.parametrize("program", CHECKS)
def test_a_program_that_reads_them_warns_of_nothing(program: str, written: Path) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    for path in sorted(written.rglob("*.*")):
        done = subprocess.run([*CHECKS[program], path], capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), path.name
