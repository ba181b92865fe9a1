"""host-local's CHECK: the addresses of prevResult, and who has them."""

from pathlib import Path

import pytest

from tests.harness.ipam import Ipam, refused, traces
from tests.harness.plugin import PluginError

CHECK_FAILED = 101
ONE = "1 difference from what ADD made: "


def test_check_after_add_and_after_del(small: Ipam) -> None:
    """H-12: leaving no trace."""
    result = small.good("ADD")
    before = traces(small.data)
    small.check(result)
    small.check(None)
    assert traces(small.data) == before
    small.delete()
    missing = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found none"
    assert refused(small.check, result) == (
        CHECK_FAILED,
        f"{ONE}10.7.0.2 is not reserved any more: {missing}",
    )
    assert refused(small.check, None) == (
        CHECK_FAILED,
        f"{ONE}no address is reserved for the container: {missing}",
    )


def test_check_makes_no_directory(small: Ipam) -> None:
    """H-12."""
    missing = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found none"
    assert refused(small.check, None) == (
        CHECK_FAILED,
        f"{ONE}no address is reserved for the container: {missing}",
    )
    prev = {"cniVersion": "1.1.0", "ips": [{"address": "10.7.0.2/29"}]}
    assert refused(small.check, prev) == (CHECK_FAILED, f"{ONE}10.7.0.2 is not reserved any more: {missing}")
    assert not small.data.exists()


def test_check_notices_a_foreign_owner(small: Ipam) -> None:
    """H-13."""
    result = small.good("ADD")
    small.put("10.7.0.2", "c2\r\neth0")
    want = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found 'c2\\r\\neth0'"
    said = f"{ONE}10.7.0.2 is reserved for somebody else: {want}"
    assert refused(small.check, result) == (CHECK_FAILED, said)


def test_check_reports_every_difference(plugins: Path, tmp_path: Path) -> None:
    """H-13."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/29", "fd00::/64", "10.8.0.0/24")
    result = ipam.good("ADD")
    (ipam.folder / "10.7.0.2").unlink()
    ipam.put("fd00::2", "")
    want = f"want a reservation of 'c1\\r\\neth0' in {ipam.folder}, found"
    with pytest.raises(PluginError) as caught:
        ipam.check(result)
    assert (caught.value.code, caught.value.msg) == (
        CHECK_FAILED,
        f"2 differences from what ADD made: 10.7.0.2 is not reserved any more: {want} none",
    )
    assert caught.value.details == f"fd00::2 is reserved for somebody else: {want} ''"


def test_check_asks_only_for_addresses_of_its_ranges(small: Ipam) -> None:
    """H-12: a later plugin may have added others."""
    result = small.good("ADD")
    result["ips"].append({"address": "203.0.113.5/24"})
    small.check(result)


def test_check_accepts_a_legacy_file(small: Ipam) -> None:
    """H-12, H-4."""
    result = small.good("ADD")
    small.put("10.7.0.2", "c1\n")
    small.check(result)
