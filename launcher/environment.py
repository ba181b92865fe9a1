"""The environment of programs that are not ours: plugins, and whatever run, exec and lab are told to start.

Law: every program that the launcher starts gets it. The start-up of a bundle points the loader at its own
libraries; without this curl or python3 would load them.
"""

import os
from collections.abc import Mapping


def outer_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """*environ* without what the start-up of a bundle has put into it."""
    own = {key: value for key, value in environ.items() if not key.startswith("_PYI_")}
    original = own.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is not None:
        own["LD_LIBRARY_PATH"] = original
    elif "_PYI_ARCHIVE_FILE" in environ:
        own.pop("LD_LIBRARY_PATH", None)
    return own
