"""What bandwidth says of a kernel that lacks something that it needs: a socket refuses in its words."""

import errno
import os
from typing import Any

import pytest

from core.attachment import Attachment
from core.errors import CNIError
from core.kernel.kernel import Kernel
from core.netlink import link, tc
from core.netlink.message import Message, nest, string
from core.plan import apply
from plugins import bandwidth
from plugins.bandwidth import Limit, Options

ATTACHMENT = Attachment("net", "c1", "eth0")
PLAN = bandwidth.plan(Options(Limit(1000, 1000), Limit(2000, 2000)), ATTACHMENT, "veth0")
UNKNOWN = "Specified qdisc kind is unknown"


class Refusing:
    """A kernel's socket: it knows every link, has no queue disciplines, and lacks what *words* stand in.

    done: the messages that it has carried out.
    """

    def __init__(self, number: int, *words: bytes) -> None:
        self.number, self.words = number, words
        self.done: list[Message] = []

    def exchange(self, messages: tuple[Message, ...], _: int = 0) -> list[tuple[list[Any], OSError | None]]:
        return [([], self.failure(message)) for message in messages]

    def failure(self, message: Message) -> OSError | None:
        if message.type == tc.RTM_GETQDISC:
            return None
        if message.type in (link.RTM_NEWLINK, tc.RTM_NEWQDISC, tc.RTM_NEWTFILTER):
            if any(word in message.payload for word in self.words):
                return OSError(self.number, f"{os.strerror(self.number)} ({UNKNOWN})")
            if b"bfifo" in message.payload and b"fq_codel" not in self.words:
                return FileExistsError(errno.EEXIST, "File exists")  # the other queue is there
        self.done.append(message)
        return None

    def do(self, *messages: Message) -> list[list[Any]]:
        for _, failure in self.exchange(messages):
            if failure:
                raise failure
        return [[] for _ in messages]

    def ask(self, message: Message) -> list[tuple[int, bytes]]:
        """Every link is an ifb of ours."""
        kind = nest(link.IFLA_LINKINFO, string(link.IFLA_INFO_KIND, "ifb"))
        return [(link.RTM_NEWLINK, link.ifinfo(7) + string(link.IFLA_IFALIAS, ATTACHMENT.owner) + kind)]

    def close(self) -> None:
        return


def run(number: int, *words: bytes) -> tuple[Kernel, Refusing, str]:
    """The kernel, its socket, and the error of an ADD, "" for none."""
    socket = Refusing(number, *words)
    kernel = Kernel("")
    kernel.sockets["host"] = socket  # type: ignore[assignment]
    try:
        apply.add(kernel, PLAN, lambda: None)
    except CNIError as error:
        return kernel, socket, str(error)
    return kernel, socket, ""


@pytest.mark.parametrize(
    ("number", "word", "record", "lacking"),
    [
        (errno.EOPNOTSUPP, b"ifb\0", "Ifb(host, bwp", "ifb (CONFIG_IFB)"),
        (errno.ENOENT, b"tbf\0", "TokenBucket(bwp", "tbf (CONFIG_NET_SCH_TBF)"),
        (
            errno.ENOENT,
            b"ingress\0",
            "IngressHook(veth0",
            "ingress queue discipline (CONFIG_NET_SCH_INGRESS)",
        ),
        (
            errno.ENOENT,
            b"u32\0",
            "Redirect(veth0",
            "u32 or mirred (CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED)",
        ),
    ],
)
def test_what_is_missing_is_named_and_the_rest_undone(
    number: int, word: bytes, record: str, lacking: str
) -> None:
    _, socket, error = run(number, word)
    assert error.startswith(f"cannot create {record}")
    assert error.endswith(f"({UNKNOWN}): this kernel has no {lacking}")
    kinds = [message.type for message in socket.done]
    made, gone = kinds.count(tc.RTM_NEWQDISC), kinds.count(link.RTM_DELLINK)
    assert (made > 0, gone) == ((False, 0) if word == b"ifb\0" else (True, 1))


def test_without_fq_codel_a_short_queue_does() -> None:
    kernel, _, error = run(errno.ENOENT, b"fq_codel")
    told = "this kernel has no fq_codel (CONFIG_NET_SCH_FQ_CODEL): what has to wait waits in one row"
    assert (error, set(kernel.notes)) == ("", {told})
    kernel, _, error = run(0)
    assert (error, kernel.notes) == ("", [])
