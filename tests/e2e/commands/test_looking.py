"""`cniwire check`, `status` and `ls`, and --verbose."""

from tests.harness.cniwire import Cniwire


def test_check_finds_what_is_missing(cniwire: Cniwire) -> None:
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    report = cniwire.json("check", web)
    assert [row["check"] for row in report["attachments"]] == ["ok"]
    cniwire.host.run(f"ip netns exec {web} ip address flush dev eth0")
    report = cniwire.json("check", web, status=1)
    assert [row["check"] for row in report["attachments"]] == ["failed"]
    assert report["errors"][0]["msg"].startswith(f"{web}/eth0: plugin bridge failed (CHECK): ")
    assert "nothing is attached to 'nobody'" in cniwire("check", "nobody", status=1)


def test_status_knows_a_ready_network_and_one_without_plugin(cniwire: Cniwire) -> None:
    assert cniwire.json("status")["networks"][0]["ready"] is True
    cniwire.network("broken", {"type": "nobody"})
    report = cniwire.json("status", status=4)
    assert [(row["network"], row["ready"]) for row in report["networks"]] == [
        ("broken", False),
        ("demo", True),
    ]
    with cniwire.popen("status", "broken") as process:
        assert "name its directory with --plugin-dir" in process.communicate(timeout=60)[0], (
            "a finding: on stdout"
        )


def test_ls_shows_damage(cniwire: Cniwire) -> None:
    """A link that somebody removed, a namespace that is gone."""
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, db)
    ports = {item["containerID"]: item["port"] for item in cniwire.json("ls")["networks"][0]["attachments"]}
    cniwire.host.run(f"ip link delete {ports[web]}")
    cniwire.host.run(f"ip netns delete {db}")
    # The kernel removes the interfaces of a namespace some time after its end.
    cniwire.host.run(f"while ip link show {ports[db]} >/dev/null 2>&1; do sleep 0.02; done")
    states = {
        item["containerID"]: item["state"]
        for item in cniwire.json("ls", "demo")["networks"][0]["attachments"]
    }
    assert states == {web: "interface is missing", db: "gone"}
    cniwire("down", web, db)


def test_verbose_shows_the_calls(cniwire: Cniwire) -> None:
    with cniwire.popen("--verbose", "run", "demo", "--", "true") as process:
        _, stderr = process.communicate(timeout=60)
    assert f"ADD {cniwire.options[-1]}/bridge" in stderr
    assert f"DEL {cniwire.options[-1]}/portmap" in stderr
    assert "CNI_IFNAME=eth0" in stderr
    assert '"prevResult"' in stderr
