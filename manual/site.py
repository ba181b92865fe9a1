"""The hook of mkdocs.yml: texts from outside of docs/ become pages, and links lead to them.

Law: a link is written as it has to be in the repository, where GitHub and an editor follow it. In the site it
leads to the page of the same file; to a file that is no page of it, it is a warning, and so an error.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "DECISIONS.md", "SECURITY.md", "bundle/README.md")
PAGES = {name: name if "/" in name else f"project/{name}" for name in OUTSIDE}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the texts of the top level, and conf/ as it is: its page, and the examples for it to lead to."""
    examples = [path for path in sorted((ROOT / "conf").rglob("*")) if path.is_file()]
    found = PAGES | {str(path.relative_to(ROOT)): str(path.relative_to(ROOT)) for path in examples}
    for source, place in found.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have each link that leads out of its folder in the repository lead to the page in the site."""
    places = {file.abs_src_path: file.src_uri for file in files}
    folder, here = os.path.dirname(page.file.abs_src_path or ""), os.path.dirname(page.file.src_uri)

    def led(match: re.Match[str]) -> str:
        place = places.get(os.path.normpath(os.path.join(folder, match[1])))
        return f"]({os.path.relpath(place, here or '.')}" if place else match[0]

    return LINK.sub(led, markdown)
