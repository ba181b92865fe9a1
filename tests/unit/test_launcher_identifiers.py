"""Long container IDs: shown short, meant by their beginning; pods; and what CHECK found."""

import pytest

from core.errors import CHECK_FAILED, INTERNAL, CNIError
from launcher.failures import UsageFailure
from launcher.findings import differences, lines
from launcher.identifiers import meant, pod, shortened
from launcher.request import Request

LONG, TWIN = "3f2a1b4c5d6e7f80" * 4, "3f2a1b4c5d6eff80" * 4


def test_only_long_ids_are_shortened() -> None:
    names = ["web", "run-4711-123456", "0123456789abcdef", "netns-0123456789abcdef0123"]
    assert shortened([*names, LONG]) == {**{name: name for name in names}, LONG: LONG[:12]}


def test_what_is_shown_begins_one_id_alone() -> None:
    """Of names, too; one that begins another is shown whole."""
    assert shortened([LONG, TWIN]) == {LONG: LONG[:13], TWIN: TWIN[:13]}
    assert shortened([LONG, LONG[:12]])[LONG] == LONG[:13]
    assert shortened([LONG, LONG + "0"]) == {LONG: LONG, LONG + "0": LONG + "0"}


def test_a_beginning_means_the_one_that_has_it() -> None:
    known = [LONG, TWIN, "webserver"]
    assert [meant(text, known) for text in (LONG[:13], LONG, TWIN[:20], "webs", "3f2", "", "other")] == [
        LONG,
        LONG,
        TWIN,
        "webs",
        "3f2",
        "",
        "other",
    ]
    assert meant(LONG[:12], [*known, LONG[:12]]) == LONG[:12], "an exact name comes first"
    with pytest.raises(UsageFailure, match="2 containers have an ID that begins with 3f2a") as caught:
        meant("3f2a", known)
    assert caught.value.details == f"{LONG[:13]}, {TWIN[:13]}"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((("K8S_POD_NAMESPACE", "default"), ("K8S_POD_NAME", "web-0.x")), "default/web-0.x"),
        ((("K8S_POD_NAME", "web-0"),), ""),
        ((("K8S_POD_NAMESPACE", "default"), ("K8S_POD_NAME", "a\nb")), ""),
        ((("K8S_POD_NAMESPACE", "default"), ("K8S_POD_NAME", "a\n")), ""),
        ((("K8S_POD_NAMESPACE", "x" * 5000), ("K8S_POD_NAME", "web")), ""),
        ((), ""),
    ],
)
def test_a_pod_is_named_as_kubernetes_allows(args: tuple[tuple[str, str], ...], told: str) -> None:
    assert pod(Request("c1", "eth0", args=args)) == told


def test_causes_are_told_and_consequences_counted() -> None:
    error = CNIError(
        CHECK_FAILED,
        "plugin bridge failed (CHECK): 4 differences from what ADD made: a [b]: want B(), found nothing",
        "  c: want C()\nd\nd: want D()",
    )
    told = differences(error)
    assert lines(told, verbose=False) == [
        r"a \[b]",
        "d",
        "[dim]1 more follows from that; --verbose shows all[/]",
    ]
    assert lines(told, verbose=True) == [
        r"a \[b]: want B(), found nothing",
        "  c: want C()",
        "d",
        "d: want D()",
    ]


@pytest.mark.parametrize(
    "error",
    [
        CNIError(INTERNAL, "4 differences from what ADD made: a"),
        CNIError(CHECK_FAILED, "eth0 not found"),
        CNIError(CHECK_FAILED, ""),
    ],
)
def test_what_another_plugin_says_is_left_as_it_is(error: CNIError) -> None:
    assert differences(error) == []
