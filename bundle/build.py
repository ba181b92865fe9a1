"""Make the plugins' executable and its modules: python -m bundle.build FOLDER TARGET.

FOLDER is a scratch folder, in which PyInstaller has collected the launcher. The finished bundle is tried
there and then renamed to TARGET, so that a build that dies half way leaves TARGET as it was.

lean.py says what becomes of the sources. All modules that an ADD of a plugin loads, as the import budget
lists them, are marshalled as one object, in which each name is stored once.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from bundle.lean import ROOT, boot, written
from launcher.installation.versions import LAUNCHER, PLUGINS, Refused, ask

EXECUTABLE, LINKS = PLUGINS[0], PLUGINS[1:]
# File names of completion scripts, as each shell looks for them.
COMPLETION = {"bash": "cniwire.bash", "zsh": "_cniwire", "fish": "cniwire.fish"}
# Modules of the interpreter that plugins use: built in, and as extension modules.
BUILTIN = ("_sha512", "_signal", "_socket", "_struct", "errno", "fcntl", "time")
EXTENSIONS = ("_json",)
PLACES = ROOT / "build" / "modules.json"  # for tests.bench.profile: size and offset of each module
PLUGIN_PART_MAX, BUNDLE_MAX = 12_000_000, 40_000_000  # bytes on disk


def archive(contents: Path, apart: bool = False) -> None:
    """Write all modules into one file, and boot.py with the place of each into another.

    apart: each module is read by a system call of its own, for tests.bench.profile.
    """
    with open(contents / "cniwire.modules", "wb") as file:
        places, entries = written(file, PLUGINS, apart)
    lent = {name: "" for name in BUILTIN if name in sys.builtin_module_names}
    for name in EXTENSIONS:
        found = next(contents.glob(f"python3*/lib-dynload/{name}.*"), None)
        if found:
            lent[name] = f"/{found.relative_to(contents)}"
    (contents / "cniwire.boot").write_bytes(boot(places, entries, lent, apart))
    PLACES.parent.mkdir(exist_ok=True)
    PLACES.write_text(json.dumps(places))


def lacked(library: Path) -> list[str]:
    """The modules in a static library of Python that cannot be linked, for lack of code that they call.

    Debian's library lacks HACL*, which the hash modules call since Python 3.12.
    """
    command = ["nm", "-P", str(library)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    members = [[line.split()[:2] for line in part.splitlines()[1:]] for part in listed.split(f"{library}[")]
    defined = {name for symbols in members for name, kind in symbols if kind != "U"}
    found = []
    for symbols in members:
        if any(kind == "U" and "Hacl" in name and name not in defined for name, kind in symbols):
            found += [name for name, kind in symbols if kind == "T" and name.startswith("PyInit_")]
    return sorted(name.removeprefix("PyInit_") for name in found)


def link(target: Path, *further: str) -> None:
    """Compile interpreter.c against the static library of this Python, with *further* options.

    Raises CalledProcessError.
    """
    of = sysconfig.get_config_var
    library = Path(of("LIBPL"), of("LIBRARY"))
    libraries = ["-l:libexpat.a", "-l:libz.a", *of("LIBS").split(), *of("SYSLIBS").split()]
    told = f"-DLACKED={' '.join(f'LACKING({name})' for name in lacked(library))}"
    # -no-pie: at a fixed address nothing has to be relocated at the start, which costs a shared libpython a
    # millisecond or two.
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-no-pie", "-s", "-Wl,-O1", "-Wl,--export-dynamic"]
    options += ["-I", of("INCLUDEPY"), told, *further]
    source = str(ROOT / "bundle" / "interpreter.c")
    subprocess.run(["cc", *options, source, str(library), *libraries, "-o", str(target)], check=True)


def size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink())


def for_people(folder: Path) -> None:
    """Example configurations, and completion scripts as the launcher writes them.

    Raises CalledProcessError.
    """
    shutil.copytree(ROOT / "conf", folder / "share" / "conf")
    scripts = folder / "share" / "completion"
    scripts.mkdir()
    for shell, name in COMPLETION.items():
        with open(scripts / name, "w") as file:
            subprocess.run([folder / LAUNCHER, "completion", shell], stdout=file, check=True)


def is_small(folder: Path) -> bool:
    """Whether the bundle in *folder* is within the limits; prints its size."""
    contents = folder / "lib"
    extensions = contents.glob("python3*/lib-dynload/_json.*")
    plugin_part = size([folder / EXECUTABLE, *contents.glob("cniwire.*"), *extensions])
    whole = size(folder.rglob("*"))
    print(f"plugins {plugin_part / 1e6:.1f} MB, with the launcher {whole / 1e6:.1f} MB")
    return plugin_part <= PLUGIN_PART_MAX and whole <= BUNDLE_MAX


def replace(folder: Path, target: Path) -> None:
    """Rename *folder* to *target*, and remove what was there."""
    aside = folder.with_name("replaced")
    shutil.rmtree(aside, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(aside)
    folder.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def main(folder: Path, target: Path) -> int:
    archive(folder / "lib")
    link(folder / EXECUTABLE)
    for name in LINKS:
        (folder / name).symlink_to(EXECUTABLE)
    for_people(folder)
    if not is_small(folder):
        print("the bundle has grown too large: what came in?", file=sys.stderr)
        return 1
    try:
        ask(folder)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    (folder / LAUNCHER).touch()  # younger than all that it is made of, for make
    replace(folder, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
