"""Make the one static file: python -m bundle.static.build FOLDER TARGET.

CPython is built twice in FOLDER, with musl. The first build counts what it executes: it freezes the modules,
and runs the plugins (train.py). The second is laid out by these counts, and optimised as a whole. It is
started, and the file that plugins are is made of its memory (image.py).
TARGET has the file, links to it, and the licenses of what is inside. FOLDER/started keeps the executable that
starts as every Python does, for comparison.

Nothing of the machine gets in but its compiler and musl: no path, no time, no host's Python. Two builds by
the same compiler have the same bytes.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from bundle.build import replace
from bundle.static import image
from bundle.static.source import PACKAGE, REVISION, VERSION, Refused, fetched, newer
from launcher.installation.versions import PLUGINS
from launcher.installation.versions import STATIC as NAME

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "bundle" / "static"
LICENSES = f"{NAME}.licenses"  # a file like the others, so that `cp -f *` meets no folder
JOBS = os.environ.get("JOBS") or str(len(os.sched_getaffinity(0)))
SIZE_MAX = 12_000_000  # bytes
# Modules that CPython would make shared libraries of, and plugins use.
MODULES = {
    "_json": "_json.c",
    "_sha512": "sha512module.c",
    "_socket": "socketmodule.c",
    "_struct": "_struct.c",
    "fcntl": "fcntlmodule.c",
    "select": "selectmodule.c",
}
# What is changed in CPython: file, text, its replacement.
CHANGES = (
    # Extended attributes are in musl as in glibc; the kernel's header has their limits.
    ("Modules/posixmodule.c", "_SYS_XATTR_H) && defined(__GLIBC__)", "_SYS_XATTR_H)"),
    (
        "Modules/posixmodule.c",
        "#  include <sys/xattr.h>",
        "#include <linux/limits.h>\n#include <sys/xattr.h>",
    ),
    # The names in Python's frozen modules are interned when the first of these modules can be wanted: see
    # complete() in interpreter.c.
    ("Python/pylifecycle.c", "if (_Py_Deepfreeze_Init() < 0) {", "if (0) {"),
    # The interpreter that freezes: no columns in line tables, and the same order of every set in every build.
    (
        "Programs/_bootstrap_python.c",
        "config.pathconfig_warnings = 0;",
        "config.pathconfig_warnings = config.code_debug_ranges = 0, config.use_hash_seed = 1;",
    ),
)
COMMON = ("-fno-pie", "-fno-ident", "-frandom-seed=cniwire", "-ffile-prefix-map={folder}=.")
COUNTING = ("-fprofile-generate", "-fprofile-update=single")
USING = (
    "-fprofile-use",
    "-fprofile-correction",
    "-Wno-missing-profile",
    "-fprofile-partial-training",
    "-flto",
    "-fno-fat-lto-objects",
)
# The section .seed lies behind all memory that an image can have.
LINKED = ("-static", "-no-pie", "-Wl,-z,norelro,--section-start=.seed=0x40000000")
COUNTED = "-Wl,--wrap=_exit,--wrap=getrandom"  # train.c
MUSL_LICENSE = Path("/usr/share/doc/musl-dev/copyright")


class Build:
    """One build in a scratch folder, which is empty at the beginning."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / f"Python-{VERSION}"
        self.compiler = folder / "cc"
        self.common = [each.format(folder=folder) for each in COMMON]

    def run(self, *command: str | Path, **variables: str) -> None:
        """Run a command in the source's folder; what it says is kept in the file `log`. Raises Refused."""
        environ = {
            "PATH": os.environ["PATH"],
            # The compiler writes into counting code where the counts go, and thus, with a name that every
            # folder has, no path whose length would move all that lies behind it.
            "PWD": "/proc/self/cwd",
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": "0",
            **variables,
        }
        with open(self.folder / "log", "ab") as log:
            done = subprocess.run(command, cwd=self.source, env=environ, stdout=log, stderr=log)
        if done.returncode:
            last = (self.folder / "log").read_text(errors="replace").splitlines()[-12:]
            raise Refused("\n".join([*last, f"{command[0]} failed: all of it is in {self.folder}/log"]))

    def unpack(self) -> None:
        """CPython's source, changed, and the compiler: musl's, with the kernel's headers and no multiarch."""
        archive = str(fetched())
        subprocess.run(["tar", "-xf", archive, "-C", self.folder, "--no-same-owner"], check=True)
        for name, text, replacement in CHANGES:
            content = (self.source / name).read_text()
            if text not in content:
                raise Refused(f"{name} of CPython {VERSION} has no {text!r}, which is to be changed")
            (self.source / name).write_text(content.replace(text, replacement))
        rows = [f"{name} {file}\n" for name, file in MODULES.items()]
        (self.source / "Modules" / "Setup.local").write_text("".join(["*static*\n", *rows]))
        headers = self.folder / "headers"
        headers.mkdir()
        found = Path("/usr/include", f"{platform.machine()}-linux-gnu", "asm")
        for name in ("linux", "asm-generic"):
            (headers / name).symlink_to(Path("/usr/include", name))
        (headers / "asm").symlink_to(found if found.exists() else "/usr/include/asm")
        self.compiler.write_text(
            '#!/bin/sh\ncase " $* " in *" --print-multiarch "*) exit 0 ;; esac\n'
            f'exec musl-gcc "$@" -idirafter {headers}\n'
        )
        self.compiler.chmod(0o755)

    def configure(self) -> None:
        options = (
            "--disable-shared",
            "--without-doc-strings",
            "--without-ensurepip",
            "--disable-test-modules",
        )
        cached = {"ac_cv_file__dev_ptmx": "yes", "ac_cv_file__dev_ptc": "no"}
        self.run("./configure", f"CC={self.compiler}", "AR=gcc-ar", *options, **cached)

    def library(self, flags: tuple[str, ...], *kept: str) -> None:
        """Make the static library; the files *kept* are not made anew."""
        variables = {
            "OPT": "-DNDEBUG -fwrapv -O2",
            "CFLAGS": " ".join([*self.common, *flags]),
            "CONFIGURE_LDFLAGS": " ".join(LINKED),
            "LIBS": "-lgcov",
            "LINKFORSHARED": "",
        }
        told = [f"{name}={value}" for name, value in variables.items()]
        old = [part for name in kept for part in ("-o", name)]
        self.run("make", f"-j{JOBS}", *old, *told, "libpython3.11.a")

    def freeze(self) -> None:
        self.run("./_bootstrap_python", HERE / "freeze.py", self.folder, *PLUGINS)

    def link(self, target: Path, *further: str) -> None:
        """Compile our own part, and link it with the library. further: options of the linker."""
        paths = [
            f"-I{HERE}",
            f"-I{self.source}/Include",
            f"-I{self.source}",
            f"-I{self.folder}",
            f"-Wa,-I{self.folder}",
        ]
        strict = ["-O2", "-Wall", "-Wextra", "-Werror", "-fno-builtin", f"-ffile-prefix-map={ROOT}=."]
        strict += ["-DEMBEDDED", "-DLACKED=", *[each for each in further if each.startswith("-D")]]
        objects: list[Path] = []
        for part in (
            ROOT / "bundle" / "interpreter.c",
            HERE / "embedded.S",
            HERE / "image.c",
            HERE / "memory.c",
            HERE / "train.c",
        ):
            if part.name != "train.c" or COUNTED in further:
                objects.append(self.folder / f"{part.stem}.o")
                self.run(self.compiler, *strict, *self.common, *paths, "-c", part, "-o", objects[-1])
        options = ["-O2", "-w", "-Wl,--build-id=sha1,-O1", *LINKED, *self.common, *further]
        self.run(self.compiler, *options, *objects, "libpython3.11.a", "-lm", "-lgcov", "-o", target)

    def train(self) -> None:
        """Count what plugins execute. They start: counts have memory of their own, which is in no image."""
        counting = self.folder / "counting"
        counting.mkdir()
        self.link(counting / NAME, "-DTRAINING", COUNTED)
        links(counting)
        for old in self.source.rglob("*.gcda"):
            old.unlink()
        command = [sys.executable, "-m", "bundle.static.train", str(self.source)]
        if subprocess.run(command, cwd=ROOT).returncode or not [*self.source.rglob("*.gcda")]:
            raise Refused("the plugins could not be run, to count what they execute")
        for compiled in (*self.source.rglob("*.o"), self.source / "libpython3.11.a"):
            compiled.unlink()


def links(folder: Path) -> None:
    for name in PLUGINS:
        (folder / name).symlink_to(NAME)


def finish(build: Build, result: Path) -> None:
    """The folder as it is handed on: executable, links, licenses."""
    started = build.folder / "started"
    for folder in (started, result):
        folder.mkdir()
        links(folder)
    build.link(started / NAME, *USING, f"-flto={JOBS}")
    image.make(started / NAME, result / NAME, build.folder / "seeds")
    parts = {
        "cniwire": ROOT / "LICENSE",
        f"CPython {VERSION}": build.source / "LICENSE",
        "musl": MUSL_LICENSE,
    }
    texts = [f"What {name} in {NAME} is under:\n\n{path.read_text()}" for name, path in parts.items()]
    (result / LICENSES).write_text("\n\n".join(texts))


def prove(result: Path) -> None:
    """Raises Refused unless every plugin answers in an environment of nothing, and the file is small."""
    size = (result / NAME).stat().st_size
    print(f"{NAME}: {size / 1e6:.1f} MB")
    if size > SIZE_MAX:
        raise Refused("the file has grown too large: what came in?")
    for name in PLUGINS:
        done = subprocess.run([result / name], env={"CNI_COMMAND": "VERSION"}, capture_output=True, text=True)
        if done.returncode or "supportedVersions" not in done.stdout:
            raise Refused(f"{name} does not answer: {done.stdout}{done.stderr}")


def main(folder: Path, target: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        build = Build(folder)
        build.unpack()
        build.configure()
        build.library(COUNTING)
        build.freeze()
        build.train()
        build.library(USING, "_bootstrap_python", "Programs/_freeze_module")
        finish(build, folder / "result")
        prove(folder / "result")
        replace(folder / "result", target)
    except Refused as error:
        print(f"make dist: {error}", file=sys.stderr)
        return 1
    later = newer()
    if later:
        known = f"bundle/static/source.py knows {REVISION}"
        print(f"make dist: Debian has {PACKAGE} {later}, and {known}: see SECURITY.md", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
