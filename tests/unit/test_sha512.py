"""The fallback hash against the library's."""

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from core.sha512 import sha512


@given(st.binary(max_size=300))
@example(bytes(111))
@example(bytes(112))
@example(bytes(128))
def test_it_is_sha_512(data: bytes) -> None:
    """U-13: padding of one block and of two."""
    assert (sha512(data).digest(), sha512(data).hexdigest()) == (
        hashlib.sha512(data).digest(),
        hashlib.sha512(data).hexdigest(),
    )
