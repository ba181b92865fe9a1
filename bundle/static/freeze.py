"""Write what the one static file carries: _bootstrap_python freeze.py FOLDER PLUGIN...

It is run by the interpreter whose modules these become, as soon as that runs any Python at all. Three files
are left in FOLDER: `boot`, the marshalled boot.py; `modules`, all our modules and, behind them, those of the
standard library that may be needed on the way to an error message; `library.h`, C code that says where in
`modules` each of the latter lies, as PyImport_FrozenModules wants it.
"""

import encodings
import sys
from marshal import dumps
from os.path import dirname, join
from types import CodeType

ROOT = dirname(dirname(dirname(__file__)))

# What our modules and the interpreter import once something is wrong; and what that imports in turn. An image
# has all of it imported, and cannot import anything else.
WANTED: tuple[str, ...] = ("json", "re", "select", "traceback", "types", "warnings")
WANTED += ("encodings.ascii", "encodings.latin_1", "encodings.utf_8")
# Frozen in every interpreter, or another name of such a module.
FROZEN = [
    "abc",
    "codecs",
    "io",
    "_collections_abc",
    "_sitebuiltins",
    "genericpath",
    "posixpath",
    "os",
    "stat",
]
FROZEN += ["os.path", "importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib_external"]
FROZEN += ["site", "zipimport", "importlib.util", "importlib.machinery", "ntpath"]
# Modules of the interpreter that plugins use.
BUILTIN = ("_json", "_sha512", "_signal", "_socket", "_struct", "errno", "fcntl", "time")


def library() -> dict[str, CodeType]:
    """The code of each module that WANTED stands for; found by importing them.

    Raises ImportError, when the interpreter that is being built lacks a module of C that one of them needs.
    """
    for name in WANTED:
        __import__(name)
    found = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.startswith(dirname(encodings.__path__[0])) and name not in FROZEN:
            with open(file, encoding="utf-8") as source:
                shown = f"<frozen {name}>"
                found[name] = compile(source.read(), shown, "exec", dont_inherit=True, optimize=2)
    return found


def main() -> None:
    folder, plugins = sys.argv[1], tuple(sys.argv[2:])
    rows, further = [], library()
    sys.path.insert(0, ROOT)
    from bundle.lean import boot, written  # late: it imports what plugins never do

    with open(join(folder, "modules"), "wb") as file:
        places, entries = written(file, plugins, apart=True)
        for name, code in further.items():
            data = dumps(code)
            is_package = int(hasattr(sys.modules[name], "__path__"))
            rows.append(f'{{"{name}", modules + {file.tell()}, {len(data)}, {is_package}, NULL}},\n')
            file.write(data)
    with open(join(folder, "boot"), "wb") as file:
        file.write(boot(places, entries, dict.fromkeys(BUILTIN, ""), standard=WANTED))
    with open(join(folder, "library.h"), "w", encoding="utf-8") as header:
        header.writelines(rows)


main()
