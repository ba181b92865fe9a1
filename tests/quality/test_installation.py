"""What installs the suite runs with any Python."""

import sys

from tests.quality.test_layers import ROOT, imports, sources, top


def test_what_installs_needs_nothing_but_the_standard_library() -> None:
    """`make install` is run by whatever Python there is, as root, without what the launcher may use."""
    needing = [*sources("launcher/installation"), ROOT / "bundle" / "install.py"]
    allowed = ("launcher.installation",)
    found = [
        str(each)
        for path in needing
        for each in imports(path)
        if top(each.names[0]) not in sys.stdlib_module_names and not each.names[0].startswith(allowed)
    ]
    assert found == []
