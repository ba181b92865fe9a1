"""The man pages, one for each executable and command: python -m manual.man FOLDER.

Plugins' pages come from docs/keys.md, those of commands from what `cniwire help` prints, what they share from
docs/protocol.md, docs/errors.md and docs/files.md. All are in section 8, but cniwire-plugins(7); the plugins'
begin with cniwire-, because a bridge(8) is iproute2's. Their date is SOURCE_DATE_EPOCH, where it is set, and
so the same sources give the same bytes.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

from core.cni.version import SUITE
from launcher.commands import COMMANDS, GROUPS
from launcher.help import EXAMPLES, INTRODUCTION
from launcher.installation.versions import PLUGINS
from manual import commands

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECTION = re.compile(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\([^)]+\)")
UNSAID = ("", "what", "what it does", "meaning", "standard output")  # heads of what a row is about
SUMMARIES = {
    "bridge": "CNI plugin: attach a container to a Linux bridge",
    "host-local": "CNI plugin: give addresses out of ranges, remembered in files",
    "static": "CNI plugin: give the addresses that the configuration names",
    "portmap": "CNI plugin: publish ports of the host",
    "firewall": "CNI plugin: have a container's packets forwarded, and keep others away",
    "tuning": "CNI plugin: settings of a container's interface and namespace",
    "bandwidth": "CNI plugin: limit what a container takes in and sends",
    "loopback": "CNI plugin: set the loopback interface of a container up",
}


def plain(text: str) -> str:
    """A text for roff: nothing in it is a request or an escape."""
    text = (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("~", "\\(ti")
        .replace("^", "\\(ha")
    )
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def inline(markdown: str) -> str:
    """A paragraph: what is code or strong is bold, links are their words."""
    parts, at = [], 0
    for found in MARKS.finditer(text := " ".join(markdown.split())):
        parts.append(plain(text[at : found.start()]))
        code, strong, weak, link = found.groups()
        parts.append(
            inline(link) if link else rf"\fI{plain(weak)}\fR" if weak else rf"\fB{plain(code or strong)}\fR"
        )
        at = found.end()
    return "".join([*parts, plain(text[at:])])


def rows(section: str) -> list[list[str]]:
    """The cells of all tables of a section, without heads."""
    return [row for _, *found in tables(section) for row in found]


def tables(section: str) -> list[list[list[str]]]:
    """The cells of each table, heads first."""
    found = [each.splitlines() for each in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)]
    lines = [[head, *rest] for head, _, *rest in found]
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in table] for table in lines]


def sentence(heads: Sequence[str], cells: Sequence[str]) -> str:
    """The columns behind the first: what it is, and then the others behind their heads."""
    told = list(zip(heads, cells))
    others = [f"{head}: {cell}" for head, cell in told if head not in UNSAID and cell]
    return "; ".join([*[cell for head, cell in told if head in UNSAID and cell], *others])


def tagged(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names, each with an indented text."""
    for name, text in pairs:
        yield from (".TP", name, text or "\\&")


def example(lines: Sequence[str]) -> Iterator[str]:
    yield from (".PP", ".EX", *[plain(line) if line else "\\&" for line in lines], ".EE")


def body(markdown: str) -> Iterator[str]:
    """Paragraphs, lists, tables and blocks of a section."""
    for block in re.split(r"\n\n+(?! {4})", markdown.strip("\n")):
        if block.startswith("    "):
            yield from example(dedent(block).splitlines())
        elif block.startswith("|"):
            ((_, *heads), *cells), *_ = tables(block + "\n")
            yield from tagged([(inline(name), inline(sentence(heads, rest))) for name, *rest in cells])
        elif block.startswith("* "):
            for item in re.split(r"^\* ", block, flags=re.MULTILINE)[1:]:
                yield from (".IP \\(bu 2", inline(item))
        else:
            words, _, code = block.partition("\n\n    ")
            yield from (".PP", inline(words))
            if code:
                yield from example(dedent("    " + code).splitlines())


def sections(page: str) -> dict[str, str]:
    return dict(SECTION.findall((DOCS / f"{page}.md").read_text()))


def page(name: str, summary: str, *parts: tuple[str, Sequence[str]], section: int = 8) -> str:
    """A whole page; *parts* are headings with their lines."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    head = f'.TH {name.upper()} {section} "{date}" "cniwire {SUITE}" "cniwire"'
    lines = ['.\\" Made by python -m manual.man', head, ".SH NAME", f"{plain(name)} \\- {plain(summary)}"]
    for title, content in parts:
        # A paragraph behind a heading needs no request.
        found = list(content)
        lines += [f'.SH "{title}"', *(found[1:] if found[:1] == [".PP"] else found)]
    return "\n".join(lines) + "\n"


def see(*names: str) -> tuple[str, Sequence[str]]:
    return "SEE ALSO", [", ".join(rf"\fB{plain(name.partition('(')[0])}\fR({name[-2:-1]})" for name in names)]


def key_text(kind: str, default: str, since: str, meaning: str) -> str:
    """What the columns of a key say, as a sentence."""
    told = [kind, *([f"default: {default}"] if default != "needed" else ["needed"])]
    told += ["not with the Go plugins" if since == "ours" else f"since {since}"] if since else []
    return f"{meaning[0].upper() + meaning[1:]} ({'; '.join(told)})."


def of_plugin(name: str) -> str:
    """The page of an executable that runtimes call."""
    keys = sections("keys")[name]
    text, _, rest = keys.strip("\n").partition("\n\n|")
    last = rest[rest.index("\n\n") :] if rest else ""
    shown = [(inline(row[0]), inline(key_text(*row[1:]))) for row in rows(keys)]
    if not rest:
        text, _, last = keys.strip("\n").partition("\n\n")
    call = [r"\fBCNI_COMMAND\fR=\fIVERB\fR ... \fB" + plain(name) + r"\fR < \fIconfiguration\fR"]
    parts: list[tuple[str, Sequence[str]]] = [("SYNOPSIS", call), ("DESCRIPTION", list(body(text)))]
    if shown:
        parts.append(("KEYS", list(tagged(shown))))
    others = (
        "What all plugins have in common, such as variables, exit codes and errors, is in cniwire-plugins(7)."
    )
    parts += [("EXAMPLE", list(body(last))), ("NOTES", [plain(others)])]
    return page(f"cniwire-{name}", SUMMARIES[name], *parts, see("cniwire(8)", "cniwire-plugins(7)"))


def of_error(title: str, text: str) -> tuple[str, str]:
    """A code with its title, cause and remedy."""
    code, _, means = title.partition(": ")
    found = dict(re.findall(r"^\* \*\*(\w+)\*\*: (.*?)(?=^\*|\Z)", text, re.MULTILINE | re.DOTALL))
    told = f"{means[0].upper() + means[1:]}. {found['Cause'].strip()} Remedy: {found['Remedy'].strip()}"
    return plain(code), inline(told)


def of_all_plugins() -> str:
    protocol, keys, files = sections("protocol"), sections("keys"), sections("files")
    errors = {title: text for title, text in sections("troubleshooting").items() if title[:1].isdigit()}
    return page(
        "cniwire-plugins",
        "what all CNI plugins of cniwire have in common",
        (
            "DESCRIPTION",
            list(body((DOCS / "protocol.md").read_text().partition("\n## ")[0].partition("\n")[2])),
        ),
        ("VERBS", list(body(protocol["Verbs"]))),
        ("ENVIRONMENT", list(body(protocol["Variables"]))),
        ("EXIT STATUS", list(body(protocol["What comes back"]))),
        ("ERRORS", list(tagged([of_error(title, text) for title, text in errors.items()]))),
        ("KEYS OF THE LIST", list(body(keys["The list"]))),
        ("KEYS OF ALL PLUGINS", list(body(keys["All plugins"]))),
        ("FILES", list(body(files["What is written by plugins"]))),
        ("EXAMPLE", list(body(protocol["By hand"]))),
        see("cniwire(8)", *[f"cniwire-{name}(8)" for name in sorted(PLUGINS)]),
        section=7,
    )


def of_command(name: str) -> str:
    of = commands.described()[name]
    parts: list[tuple[str, Sequence[str]]] = [
        ("SYNOPSIS", [plain(of.usage)]),
        ("DESCRIPTION", [inline(of.sentence)]),
    ]
    if of.arguments:
        parts.append(
            (
                "ARGUMENTS",
                list(tagged([(rf"\fI{plain(word)}\fR", inline(text)) for word, text in of.arguments])),
            )
        )
    options = [(rf"\fB{plain(word)}\fR", inline(text)) for word, text in of.options]
    behind = [".PP", plain("The options of cniwire(8) may stand here as well.")]
    parts += [("OPTIONS", [*tagged(options), *behind]), ("EXAMPLES", list(example(of.examples)))]
    return page(f"cniwire-{name}", COMMANDS[name][0], *parts, see("cniwire(8)", "cniwire-plugins(7)"))


def of_launcher() -> str:
    every = [name for group in GROUPS.values() for name in group]
    options = [(rf"\fB{plain(word)}\fR", inline(text)) for word, text in commands.global_options()]
    codes, last = commands.exit_codes()
    return page(
        "cniwire",
        "wire network namespaces with CNI plugins",
        ("SYNOPSIS", [plain("cniwire [OPTION ...] COMMAND ...")]),
        ("DESCRIPTION", list(body(INTRODUCTION))),
        ("COMMANDS", list(tagged([(rf"\fB{plain(name)}\fR", inline(COMMANDS[name][0])) for name in every]))),
        ("OPTIONS", list(tagged(options))),
        ("EXIT STATUS", [*tagged([(plain(code), plain(text)) for code, text in codes]), ".PP", plain(last)]),
        ("FILES", list(body(sections("files")["What is written by cniwire"]))),
        ("EXAMPLES", list(tagged([(rf"\fB{plain(line)}\fR", plain(text)) for line, text in EXAMPLES]))),
        see("cniwire-plugins(7)", *[f"cniwire-{name}(8)" for name in every]),
    )


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    found = {"cniwire.8": of_launcher(), "cniwire-plugins.7": of_all_plugins()}
    found |= {f"cniwire-{name}.8": of_command(name) for name in COMMANDS}
    return found | {f"cniwire-{name}.8": of_plugin(name) for name in PLUGINS}


def main(folder: str) -> None:
    for name, text in pages().items():
        place = Path(folder, f"man{name[-1]}", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
