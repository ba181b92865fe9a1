"""The one package of the wheel: everything else lies below it, in `suite`, under its own names.

A wheel puts its packages beside everybody else's, where core or plugins would clash. So `suite` is a folder
of the path only for a process that is `cniwire`; in a checkout the folder above this one has that part.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = os.path.join(HERE, "suite")
PYTHON = "CNIWIRE_PYTHON"  # environment variable: the interpreter that the wheel's plugins run with
COMMAND = "cniwire"


def main() -> int:
    """The `cniwire` command; returns its exit code."""
    if os.path.isdir(SUITE):
        os.environ[PYTHON] = sys.executable
        be_found()
        sys.path.insert(0, SUITE)
    else:
        sys.path.insert(0, os.path.dirname(HERE))
    from launcher.main import main as launcher  # late: only now it can be found

    return launcher()


def be_found() -> None:
    """Let `cniwire lab -- cniwire run demo` find this command, where no folder of PATH has it."""
    folders = os.get_exec_path()
    own = os.path.dirname(os.path.abspath(sys.argv[0]))
    if not any(os.access(os.path.join(folder, COMMAND), os.X_OK) for folder in folders):
        os.environ["PATH"] = os.pathsep.join([*folders, own])
