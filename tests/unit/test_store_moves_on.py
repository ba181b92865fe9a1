"""A network whose addresses move on, as IPv6 ones do, so that its index fills up.

The index keeps a bitmap of each block of 4096 addresses that was ever used.
"""

from pathlib import Path

from core import address
from core.attachment import Attachment
from ipam.host_local.store import Store


def test_a_full_index_is_no_reason_to_refuse_an_address(tmp_path: Path) -> None:
    attachment = Attachment("net", "c1", "eth0")
    first = int.from_bytes(address.parse("fd01::2"), "big")
    for block in range(30):
        packed = (first + block * 4096).to_bytes(16, "big")
        with Store(str(tmp_path)) as store:
            # ADD asks this, too, and so opens the index before anything is changed.
            assert store.owned(attachment) == (b"", [])
            store.reserve(attachment, {0: packed})
        with Store(str(tmp_path)) as store:
            held = list(store.everybody())
            assert [one for one, _ in held] == [packed]
            assert store.release(held) == []
