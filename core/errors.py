"""The one exception that crosses layers, and every error code that a cniwire plugin prints.

Codes below 100 are those of the specification's table (spec: section 5 "Error"). Ours begin at 100 and never
change their meaning. Pure.
"""

from errno import EAGAIN, EBUSY, EINTR, ENOBUFS

INCOMPATIBLE_VERSION = 1  # the configuration's cniVersion is not supported
UNSUPPORTED_FIELD = 2  # a key is valid, but not with this plugin or backend
UNKNOWN_CONTAINER = 3  # the runtime need not clean up
INVALID_ENVIRONMENT = 4  # a CNI_* variable is missing or malformed
IO_FAILURE = 5  # standard input could not be read
DECODING_FAILURE = 6  # not JSON, not a version, not a result
INVALID_CONFIG = 7  # a key's value is wrong or contradicts another
INVALID_NETNS = 8  # CNI_NETNS is our own namespace or none at all
TRY_AGAIN_LATER = 11  # the only code that a retry may cure
NOT_AVAILABLE = 50  # STATUS: no ADD can be served now
LIMITED_CONNECTIVITY = 51  # STATUS: neither ADD, and existing containers may be cut off

KERNEL_REFUSED = 100  # the kernel answered a request with an error
CHECK_FAILED = 101  # CHECK found differences
INTERFACE_EXISTS = 102  # CNI_IFNAME is taken in the container
ADDRESSES_EXHAUSTED = 103  # no address left in a range set
ADDRESS_UNAVAILABLE = 104  # the requested address is reserved, or in no range
PORT_TAKEN = 105  # a host port is mapped by another attachment
DELEGATE_FAILED = 106  # the IPAM plugin is missing, died, hung or printed rubbish
STORE_FAILED = 107  # a directory of reservations or backups cannot be read or written
GATEWAY_CONFLICT = 108  # the bridge carries another gateway address
INTERNAL = 999  # unforeseen: type and text of the exception

TRANSIENT = (EINTR, EAGAIN, EBUSY, ENOBUFS)  # what a retry may cure


class CNIError(Exception):
    """A failure with a code, a message that names key and value, and optional details.

    code: one of the constants above.
    msg: one line for a person; details: longer text, may be empty.
    """

    def __init__(self, code: int, msg: str, details: str = "") -> None:
        super().__init__(f"{msg}; {details}" if details else msg)
        self.code = code
        self.msg = msg
        self.details = details


def of_kernel(number: int | None) -> int:
    """The code for an errno of the kernel."""
    return TRY_AGAIN_LATER if number in TRANSIENT else KERNEL_REFUSED
