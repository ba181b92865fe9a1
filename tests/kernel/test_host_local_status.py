"""host-local's STATUS: whether ADD could be served."""

from pathlib import Path

from tests.harness.ipam import Ipam, refused, traces

NOT_AVAILABLE = 50


def test_status_while_there_are_addresses(small: Ipam) -> None:
    """H-59: without a trace, also before the first ADD."""
    small.data.mkdir()
    before = traces(small.data)
    small.good("STATUS")
    assert traces(small.data) == before
    small.data.rmdir()
    small.good("STATUS")
    assert not small.data.exists()
    for number in range(4):
        small.add(f"c{number}")
    before = traces(small.data)
    small.good("STATUS")
    assert traces(small.data) == before


def test_status_when_a_set_is_full(plugins: Path, tmp_path: Path) -> None:
    """H-59."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/24", "10.8.0.0/30", version="1.1.0")
    ipam.add()
    before = traces(tmp_path)
    full = "failed to allocate for range 1: no IP addresses available in range set: 10.8.0.1-10.8.0.2"
    said = f"{full}: 1 of 1 addresses are reserved"
    assert refused(ipam.good, "STATUS") == (NOT_AVAILABLE, said)
    counts = f"1 of 1 addresses are reserved in {ipam.folder}; next in turn: 10.8.0.2 (c1 eth0) since "
    assert ipam.call("STATUS").output["details"].startswith(counts)
    assert traces(tmp_path) == before


def test_status_of_a_set_that_only_the_dead_fill(small: Ipam) -> None:
    """H-59: ADD could take a torn file's address."""
    for number in range(2, 7):
        small.put(f"10.7.0.{number}", "" if number == 4 else "c1\r\neth0")
    small.good("STATUS")
    small.put("10.7.0.4", "c1\r\neth0")
    assert refused(small.good, "STATUS")[0] == NOT_AVAILABLE


def test_status_where_no_directory_can_be_made(small: Ipam) -> None:
    """H-59."""
    small.data.write_text("a file")
    assert refused(small.good, "STATUS") == (
        NOT_AVAILABLE,
        f"ipam.dataDir: cannot use {small.data}: not a directory",
    )


def test_status_with_ranges_that_are_none(small: Ipam) -> None:
    """H-59."""
    assert refused(small.good, "STATUS", ipam={"ranges": []})[0] == 7
