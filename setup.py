"""What lies where in a wheel: everything below the package cniwire. pyproject.toml says the rest.

A wheel's plugins run with the interpreter that it was installed for, which the launcher names to them: the
first python3 of PATH may be too old for them. A checkout that is installed as editable keeps its folders.
"""

import os
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGES = ("core", "ipam", "launcher", "plugins")
FILES = {"bin": ["*"], "conf": ["*", "*/*", "*/*/*"]}
SUITE = "cniwire.suite"
OLD = "#!/usr/bin/env -S python3 -I -S\n"
# For sh a command, for Python a text: the way of installers whose interpreters have paths too long for #!.
NEW = "#!/bin/sh\n'''exec' \"${CNIWIRE_PYTHON:-python3}\" -I -S \"$0\" \"$@\"\n' '''\n"


class Build(build_py):
    """build_py, and then the first lines of the plugins."""

    def run(self) -> None:
        super().run()
        for script in Path(self.build_lib, *SUITE.split("."), "bin").glob("*"):
            text = script.read_text()
            if not text.startswith(OLD):
                raise SystemExit(f"bin/{script.name} does not begin with {OLD!r}")
            script.write_text(text.replace(OLD, NEW, 1))
            os.chmod(script, 0o755)


found = sorted(find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]))
if "editable_wheel" in sys.argv:
    setup(packages=["cniwire", *found], package_dir={"": "."})
else:
    setup(
        packages=["cniwire", *[f"{SUITE}.{name}" for name in (*found, *FILES)]],
        package_dir={"": ".", **{f"{SUITE}.{name}": name for name in (*PACKAGES, *FILES)}},
        package_data={f"{SUITE}.{name}": patterns for name, patterns in FILES.items()},
        include_package_data=False,
        cmdclass={"build_py": Build},
    )
