"""What the interpreter runs first in a bundled plugin.

Law: a plugin runs none of Python's own import machinery as long as all is well; when something is wrong, all
of Python is there.

Why: importing one module the usual way costs a search through finders and paths, a spec, a loader, a lock, a
file that is opened and read. A plugin has some sixty modules of its own and lives for ten milliseconds.

How our own modules come. build.py has marshalled all of them into one file, which is mapped, not read. For
each, an empty module stands in `sys.modules` from the beginning. Its __getattr__ (PEP 562) is called when the
first of its names is asked for, unmarshals the code and runs it; from then on it is a module like any other.
What every ADD of a plugin loads is one marshalled dictionary, in which no text stands twice. build.py has
replaced our modules' import statements of one another by look-ups in `sys.modules`, because the statement
asks every module for a __path__ and a __spec__, which would run it.

How the interpreter's own modules come. The few that plugins use are built in, and made importable here
without a search. The import of any other happens on the way to an error message. With EARLY, the interpreter
has stopped after the core phase of its start (PEP 587) and knows no path, no codec, no standard stream. So
the only finder on sys.meta_path, Cold, first has interpreter.c do the rest of the start, takes itself out,
and lets the usual finders go on. The first search for a codec does the same for codecs.

With SEED all of this happens once, when the executable is built: the rest of the start is done, every module
is run, and what the memory then holds becomes part of the executable. A process of that executable begins
in `resume`, and has nothing to import any more.

How a plugin is known. All executables are one file. Which one is meant is told by the name under which it was
called, itself or at the end of symbolic links; a copy ends in the name behind a dash.
"""

import posix
import sys
from _codecs import register
from _imp import create_builtin, create_dynamic, exec_builtin, exec_dynamic
from marshal import loads
from posix import O_CLOEXEC, _exit, open, pread, readlink, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    # From interpreter.c: argv[0] and the path that was executed; the bundle's folder of contents, or the
    # executable that has them inside; whether the interpreter's start has stopped after the core phase; the
    # functions of interpreter.c; whether this is the seed of an image.
    CALLED: tuple[str, str]
    CONTENTS: str
    EARLY: bool
    SEED: bool
    interpreter: Any
    # From build.py, sizes and offsets in the file of modules: of each module; and of the dictionary with all
    # modules that a plugin usually loads, in which "" is its entry script.
    PLACES: dict[str, tuple[int, int]]
    PLUGINS: dict[str, tuple[int, int]]
    # From build.py: modules of the interpreter that plugins use, with the file of an extension module ("" for
    # one that is built in).
    LENT: dict[str, str]
    # From build.py: whether each module is read by a system call of its own, for a tracer.
    APART: bool
    # From freeze.py: modules of the standard library that a way to an error message may need.
    STANDARD: tuple[str, ...]

FILE = open(CONTENTS + "/cniwire.modules", O_CLOEXEC) if APART else -1
setattr(sys, "_MEIPASS", CONTENTS)  # how code knows that it is bundled, by PyInstaller's custom
if hasattr(interpreter, "is_copy"):
    setattr(sys, "_cniwire_is_copy", interpreter.is_copy)  # for core.cni.delegate
if not hasattr(posix, "setns"):
    setattr(posix, "setns", interpreter.setns)  # as Python has it since 3.12


def load(size: int, offset: int) -> Any:
    """The object that is marshalled at *offset* in the file of modules. Raises OSError, EOFError."""
    return loads(pread(FILE, size, offset)) if APART else interpreter.load(size, offset)


def lazy(name: str) -> ModuleType:
    """A module of our own, which is run when the first of its names is asked for (PEP 562)."""
    module = type(sys)(name)

    def __getattr__(attribute: str) -> Any:  # noqa: N807
        if name not in PLACES:
            raise AttributeError(attribute)
        return getattr(run(name), attribute)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]
    return module


def run(name: str) -> ModuleType:
    """The module of that name, run if it was not yet."""
    module = modules[name]
    place = PLACES.pop(name, None)
    if place:
        del module.__getattr__
        exec(together.pop(name, None) or load(*place), module.__dict__)
    return module


class Cold:
    """The finder for everything that no plugin needs as long as all is well."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        sys.meta_path.remove(Cold)  # the usual finders take its place
        interpreter.complete()
        found = [finder.find_spec(name, path, target) for finder in sys.meta_path]
        return next((spec for spec in found if spec), None)


def codec(name: str) -> Any:
    """Search for a codec.

    The first search loads the package; until then the interpreter has a few of its own.
    """
    if sys.modules.get("encodings") is NO_CODECS:
        del sys.modules["encodings"]
    from encodings import search_function

    return search_function(name)


class Spec:
    """What _imp wants to know of a module."""

    def __init__(self, name: str, origin: str):
        self.name, self.origin = name, origin


def lend(name: str, origin: str) -> None:
    """Make a module of the interpreter importable without a search.

    origin: the file of an extension module, "" for one that is built in.
    """
    if name in sys.modules:
        return
    spec: Any = Spec(name, origin)
    sys.modules[name] = module = create_dynamic(spec) if origin else create_builtin(spec)
    (exec_dynamic if origin else exec_builtin)(module)


def plugin(called: tuple[str, str]) -> str:
    """The plugin that is called: by its name, or by a link to it, which may have any name.

    A copy's name has to end in that of a plugin, behind a dash (cnv-bridge).
    """
    for path in called:
        found = linked(path)
        if found:
            return found
    for path in called[1], called[0]:
        for name in PLUGINS:
            if path.endswith("-" + name):
                return name
    shown = "".join([each if " " <= each <= "~" and each not in '"\\' else "?" for each in called[1][-200:]])
    names = ", ".join(PLUGINS)
    allowed = f"one of the names {names}, by a name that ends in one of them behind a dash"
    msg = f"{shown}: call it by {allowed}, or through a link to one of them"
    write(1, f'{{"cniVersion": "1.1.0", "code": 999, "msg": "{msg}"}}'.encode())
    _exit(1)


def linked(path: str) -> str:
    """The plugin that *path* names, itself or at the end of links; "" for none."""
    try:
        while (name := path[path.rfind("/") + 1 :]) not in PLUGINS:
            target = readlink(path)
            path = target if target.startswith("/") else path[: path.rfind("/") + 1] + target
    except (OSError, ValueError):
        return ""
    return name


NO_CODECS: ModuleType = type(sys)("encodings")
if EARLY:
    sys.modules["encodings"] = NO_CODECS
    register(codec)
modules: dict[str, ModuleType] = sys.modules
for name in PLACES:
    modules[name] = lazy(name)
# What build.py puts in place of our own modules' import statements.
__builtins__["__modules__"], __builtins__["__run__"] = modules, run
for name, origin in LENT.items():
    lend(name, origin and CONTENTS + origin)
if EARLY:
    sys.meta_path.append(Cold)


def resume(called: tuple[str, str]) -> None:
    """Carry out the call. An image's process goes on here (static/image.c)."""
    exec(scripts[plugin(called)], {"__name__": "__main__"})


together: dict[str, Any] = {}
if SEED:
    scripts = {name: load(*PLUGINS[name])[""] for name in PLUGINS}
    interpreter.complete()
    sys.meta_path.remove(Cold)
    for name in STANDARD:
        __import__(name)
    for name in list(PLACES):
        run(name)
else:
    together = load(*PLUGINS[plugin(CALLED)])
    exec(together.pop(""), {"__name__": "__main__"})
