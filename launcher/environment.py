"""The environment that programs get from us."""

import os
from collections.abc import Mapping


def outer_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for programs that are not ours: without what a bundle's start-up put into it."""
    own = {key: value for key, value in environ.items() if not key.startswith("_PYI_")}
    original = own.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is not None:
        own["LD_LIBRARY_PATH"] = original
    elif "_PYI_ARCHIVE_FILE" in environ:
        own.pop("LD_LIBRARY_PATH", None)
    return own
