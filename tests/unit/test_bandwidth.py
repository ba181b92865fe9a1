"""bandwidth: every key read and checked, and the plan that comes of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attachment import Attachment
from core.cni.config import Section
from core.errors import INVALID_CONFIG, CNIError
from core.plan.records import HOST, Plan
from core.plan.shaping import Ifb, IngressHook, Queue, Redirect, TokenBucket
from core.plan.words import describe
from plugins import bandwidth
from plugins.bandwidth import KEYS, Limit, Options

BOTH = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 1600, "egressBurst": 16_000}
ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
IFB, OWNER = "bwp623e1c388032", "net/c1/eth0"


def options(**keys: Any) -> Options:
    return bandwidth.options(Section(keys))


def test_the_plan_of_both_directions() -> None:
    """W-1: numbers of the reference; the queue is 25 ms of the rate, or 128 KiB."""
    made = bandwidth.plan(options(**BOTH), ATTACHMENT, "veth0", 1400)
    handle = made.owned[2].handle
    assert made == Plan(
        (),
        (
            Ifb(HOST, IFB, "ifb", OWNER, mtu=1400),
            TokenBucket(IFB, OWNER, 200, 2005, 156_250_000),
            Queue(IFB, handle, 131_072),
            IngressHook("veth0", OWNER, IFB),
            Redirect("veth0", IFB),
            TokenBucket("veth0", OWNER, 1_000_000, 125_000, 1_562_500),
            Queue("veth0", handle, 131_072),
        ),
    )
    assert 0x4000_0000 <= handle < 0x8000_0000
    assert handle & 0xFFFF == 0


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({}, Options(None, None)),
        (dict.fromkeys(KEYS, 0), Options(None, None)),
        ({"runtimeConfig": {"bandwidth": dict.fromkeys(KEYS, 0)}}, Options(None, None)),
        ({"runtimeConfig": {"bandwidth": None}}, Options(None, None)),
        (BOTH, Options(Limit(1_000_000, 100_000), Limit(200, 2000))),
        ({"runtimeConfig": {"bandwidth": BOTH}}, Options(Limit(1_000_000, 100_000), Limit(200, 2000))),
        ({"RuntimeConfig": {"BANDWIDTH": {"egressrate": 8, "EGRESSBURST": 8}}}, Options(None, Limit(1, 1))),
        ({"ingressRate": 0, "runtimeConfig": {"bandwidth": BOTH}}, Options(None, None)),
        (
            {"egressRate": 80, "egressBurst": 80, "runtimeConfig": {"bandwidth": {"ingressRate": "rubbish"}}},
            Options(None, Limit(10, 10)),
        ),
        ({"ingressRate": None, "runtimeConfig": {"bandwidth": {}}}, Options(None, None)),
        ({"ingressRate": 2**64 - 1, "ingressBurst": 34359738359}, Options(Limit(2**61 - 1, 2**32 - 2), None)),
    ],
)
def test_where_the_numbers_stand(keys: dict[str, Any], wanted: Options) -> None:
    """W-5 W-6 W-10: one key in the configuration itself hides all that the runtime sends."""
    assert options(**keys) == wanted
    assert bool(options(**keys)) == (wanted != Options(None, None))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"ingressRate": 8}, "ingressBurst: want at least 8 bits, as ingressRate is set, found null"),
        (
            {"ingressRate": 8, "ingressBurst": 0},
            "ingressBurst: want at least 8 bits, as ingressRate is set, found 0",
        ),
        (
            {"ingressBurst": 8},
            "ingressRate: want at least 8 bits per second, as ingressBurst is set, found null",
        ),
        ({"egressRate": 8}, "egressBurst: want at least 8 bits, as egressRate is set, found null"),
        (
            {"egressBurst": 8, "egressRate": 7},
            "egressRate: want at least 8 bits per second, as egressBurst is set, found 7",
        ),
        (
            {"egressBurst": 7, "egressRate": 8},
            "egressBurst: want at least 8 bits, as egressRate is set, found 7",
        ),
        (
            {"egressBurst": 34359738360, "egressRate": 8},
            "egressBurst: want less than 4 GiB, which are 34359738360 bits, found 34359738360",
        ),
        ({"ingressRate": -1}, f"ingressRate: want an integer from 0 to {2**64 - 1}, found -1"),
        ({"ingressRate": 2**64}, f"ingressRate: want an integer from 0 to {2**64 - 1}, found {2**64}"),
        ({"ingressRate": 8.0}, f"ingressRate: want an integer from 0 to {2**64 - 1}, found 8.0"),
        ({"ingressRate": "1M"}, f'ingressRate: want an integer from 0 to {2**64 - 1}, found "1M"'),
        ({"ingressRate": True}, f"ingressRate: want an integer from 0 to {2**64 - 1}, found true"),
        (
            {"runtimeConfig": {"bandwidth": {"egressRate": 8}}},
            "runtimeConfig.bandwidth.egressBurst: want at least 8 bits, as egressRate is set, found null",
        ),
        ({"runtimeConfig": {"bandwidth": 8}}, "runtimeConfig.bandwidth: want an object, found 8"),
    ],
)
def test_numbers_that_are_refused(keys: dict[str, Any], complaint: str) -> None:
    """W-4 W-10: key and value are named."""
    with pytest.raises(CNIError) as refused:
        options(**keys)
    assert (refused.value.code, refused.value.msg) == (INVALID_CONFIG, complaint)


@pytest.mark.parametrize(
    ("rate", "burst", "buffer"),
    [
        (1, 1, 15_625_000),  # a second
        (3, 1, 333_333 * 1000 // 64),  # rounded to microseconds, as the reference does
        (10**9, 10**6, 15_625),  # a millisecond; what is shorter is not rounded
        (125 * 10**7, 1600, 20),
        (2**61, 1, 1),  # and never nothing: no packet would pass
        (1_250_000, 2**29, 2**32 - 1),  # 429 s, of which the field holds 274
    ],
)
def test_how_long_a_burst_lasts(rate: int, burst: int, buffer: int) -> None:
    """In ticks of 64 ns."""
    assert Limit(rate, burst).buffer == buffer


@given(*[st.integers(0, 2**64 - 1)] * 4, st.text(min_size=1), st.text(min_size=1))
def test_any_numbers_fit_the_kernels_fields(
    ingress: int, ingress_burst: int, egress: int, egress_burst: int, network: str, container: str
) -> None:
    """Or are refused; and the names of an attachment are no obstacle."""
    attachment = Attachment(network, container, "eth0")
    try:
        wanted = options(**dict(zip(KEYS, (ingress, ingress_burst, egress, egress_burst), strict=True)))
    except CNIError:
        return
    for record in bandwidth.plan(wanted, attachment, "veth0").owned:
        for name in ("limit", "buffer", "handle"):
            assert 0 <= getattr(record, name, 0) < 2**32
        assert getattr(record, "buffer", 1)
        assert len(getattr(record, "name", "")) <= 15
        assert describe(record)
