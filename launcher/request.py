"""What a runtime asks of a network for one attachment: checked, and as the variables that plugins get.

Spec: section 2 "Parameters".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.cni.protocol import CONTAINERID, IFNAME, IFNAME_BYTES, NETNS, is_identifier
from launcher.failures import UsageFailure

# What Go's unicode.IsSpace takes for white space, and libcni refuses in the name of an interface.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True)
class Request:
    """What a runtime asks of a network for one attachment.

    netns: a path, "" when the namespace is gone. args: CNI_ARGS as pairs.
    capability_args: values by capability; a plugin gets those that it declares.
    """

    container_id: str
    ifname: str
    netns: str = ""
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The CNI_ variables that name the attachment."""
        args = ";".join(f"{key}={value}" for key, value in self.args)
        return {CONTAINERID: self.container_id, NETNS: self.netns, IFNAME: self.ifname, "CNI_ARGS": args}

    def validate(self) -> None:
        """Refuse a container ID or interface name that no plugin takes, before one is executed.

        Raises UsageFailure.
        """
        if not is_identifier(self.container_id):
            found = f"found {self.container_id!r}"
            raise UsageFailure(f"container ID: want letters, digits, dots, dashes and underscores, {found}")
        name = self.ifname
        forbidden = [char for char in name if char in "/:" + SPACE or "\ud800" <= char <= "\udfff"]
        if not 0 < len(os.fsencode(name)) <= IFNAME_BYTES or name in (".", "..") or forbidden:
            want = f"1 to {IFNAME_BYTES} bytes of UTF-8 without slash, colon or space"
            raise UsageFailure(f"interface name: want {want}, found {name!r}")
