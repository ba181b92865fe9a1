"""What fake kernels know: every record, and every link, of all namespaces."""

import errno
import os
from typing import TYPE_CHECKING, Any, NoReturn

from core.netlink import link as codec

if TYPE_CHECKING:
    from tests.harness.fake_kernel.kernel import FakeKernel

ENOENT, EEXIST, ENODEV, ENETUNREACH = errno.ENOENT, errno.EEXIST, errno.ENODEV, errno.ENETUNREACH
Key = tuple[Any, ...]


def refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


class World:
    """What several fake kernels share: every record by its identity, and every link by namespace and name.

    fail_at: which create of all fails, counted from 1 and record by record, 0 for none; fail_with: its errno.
    fail_finish: by method, what the kernel does once everything is made: an exception to raise or a value to
    return.
    runs_firewalld: what a kernel says of that.
    """

    def __init__(self) -> None:
        self.records: dict[Key, Any] = {}
        self.links: dict[tuple[str, str], codec.Link] = {}
        self.pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.created = 0
        self.fail_at = 0
        self.fail_with = 5
        self.fail_finish: dict[str, Any] = {}
        self.indexes = 1
        self.runs_firewalld = False

    def kernel(self, netns: str = "") -> "FakeKernel":
        """Open a kernel for one namespace, as a Request does. A namespace "/gone..." is not there."""
        if netns.startswith("/gone"):
            raise FileNotFoundError(ENOENT, f"CNI_NETNS: no network namespace at {netns}")
        from tests.harness.fake_kernel.kernel import FakeKernel  # which is made of a world

        return FakeKernel(self, netns)

    def state(self) -> dict[Key, Any]:
        """All records, with the links' names: equal states are equal worlds but for MACs and indexes."""
        return {**self.records, "links": sorted(self.links)}  # type: ignore[dict-item]

    def of(self, *types: type) -> list[Any]:
        """The records of some types, in the order of their creation."""
        return [record for record in self.records.values() if isinstance(record, types)]
