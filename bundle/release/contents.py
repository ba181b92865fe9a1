"""What goes into each form: the static file under its names, the launcher with its contents, papers."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from bundle.release.facts import ROOT
from bundle.release.tree import File, Tree, below, link, moved, read
from bundle.static.build import LICENSES as PAPERS
from launcher.installation.versions import LAUNCHER, PLUGINS, STATIC, Refused

LAUNCHER_PAPERS = f"{LAUNCHER}.licenses"
# Of the bundle's contents, what its own plugins need, which the static file takes the place of.
NEEDLESS = ("cniwire.boot", "cniwire.modules")


def plugins(folder: Path) -> dict[str, File]:
    """`make dist`'s folder as plain files: one for each plugin, all the same, and the licenses."""
    if not (folder / STATIC).is_file():
        raise Refused(f"there is no {folder / STATIC} (make dist)")
    return {**dict.fromkeys(PLUGINS, read(folder / STATIC)), PAPERS: read(folder / PAPERS)}


def linked(folder: Path) -> dict[str, File]:
    """The same as one file, and a link for each plugin."""
    whole = plugins(folder)
    return {STATIC: whole[PLUGINS[0]], PAPERS: whole[PAPERS], **dict.fromkeys(PLUGINS, link(STATIC))}


def launcher(folder: Path, papers: str) -> dict[str, File]:
    """`make bundle`'s folder without its plugins. papers: the licenses of what is inside."""
    if not (folder / LAUNCHER).is_file():
        raise Refused(f"there is no {folder / LAUNCHER} (make bundle)")
    lib = {name: file for name, file in below(folder / "lib").items() if name not in NEEDLESS}
    plain = {name: file if file.target else File(file.content) for name, file in lib.items()}
    return {
        LAUNCHER: read(folder / LAUNCHER),
        **moved(plain, "lib/"),
        **below(folder / "share", "share/"),
        "LICENSE": read(ROOT / "LICENSE"),
        LAUNCHER_PAPERS: File(papers.encode()),
    }


def libraries(executables: Iterable[Path]) -> dict[str, File]:
    """The shared libraries and the loader that dynamic executables want, at the paths where they want them.

    Raises Refused where one is missing.
    """
    found: dict[str, File] = {}
    for path in executables:
        for row in subprocess.run(["ldd", path], capture_output=True, text=True).stdout.splitlines():
            where = row.split(" (")[0].split("=>")[-1].strip()
            if where == "not found":
                raise Refused(f"{path.name} wants a library that is not here: {row.strip()}")
            if where.startswith("/") and not Path(where).is_relative_to(path.parent):
                found[where.removeprefix("/")] = File(Path(where).read_bytes(), executable=True)
    return found


def outside(bundle: Path) -> dict[str, File]:
    """What the launcher needs of the system, by path; its own libraries lie beside its contents."""
    lib = bundle / "lib"
    inside = {path.name for path in lib.glob("*.so*")}
    found = libraries(sorted(lib.rglob("*.so*")))
    found = {path: file for path, file in found.items() if Path(path).name not in inside}
    return {**found, **libraries([bundle / LAUNCHER])}


def image(plugins: Tree, launcher: Tree, system: Tree) -> dict[str, File]:
    """A root directory: the plugins where runtimes look for them, the launcher, and what this one needs.

    launcher, system: as launcher() and outside() have them.
    """
    beside = {name: link(f"../../../opt/cni/bin/{name}") for name in PLUGINS}
    return {
        **moved(plugins, "opt/cni/bin/"),
        **moved({**launcher, **beside}, "usr/lib/cniwire/"),
        "usr/bin/cniwire": link("../lib/cniwire/cniwire"),
        **system,
    }
