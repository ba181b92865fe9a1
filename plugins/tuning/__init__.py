"""tuning: sysctls of the container's namespace, and MAC, MTU and switches of its interface.

A chained plugin. What it changes is another plugin's, or the namespace's: ADD keeps what was there in a file,
and DEL writes it back (core.kernel.backup). Podman and nerdctl list it in every network, nearly always
without keys; then there is nothing to do, and no kernel is opened.
"""

from __future__ import annotations

from core import system
from core.address import mac_text
from core.attachment import owner_text
from core.cni.config import Section, valid_attachments
from core.cni.version import ALL
from core.errors import NOT_AVAILABLE, CNIError
from core.plan import apply
from core.verbs import chained
from plugins.tuning.options import FOLDER, Options, refuse_repeated, substituted
from plugins.tuning.options import options as options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.protocol import Request
    from core.cni.result import Result
    from core.plan.records import Plan

NAME = "tuning"
VERSIONS = ALL
ENTERS = True


def plan(wanted: Options, attachment: Attachment) -> Plan:
    """All that is changed, the sysctls first. Raises CNIError."""
    from core.plan.changed import LinkSettings, TunedSysctl  # late: nearly always nothing is asked for
    from core.plan.records import CONTAINER, Plan

    sysctls = [TunedSysctl(key, value) for key, value in substituted(wanted, attachment.ifname).items()]
    switches = (wanted.promiscuous, wanted.all_multicast, wanted.tx_queue_len)
    link = LinkSettings(CONTAINER, attachment.ifname, wanted.mac, wanted.mtu, *switches)
    return Plan(changed=(*sysctls, *([link] if wanted.of_link else [])))


def carry_out(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    """Keep what is there, change it, and answer with the new MAC. A failure leaves all as it was."""
    from core.kernel import backup  # late: as above

    if wanted.sysctls:
        _refuse(request, wanted)
    attachment, earlier = request.attachment, list[bytes | None]()

    def keep(before: list[Any]) -> None:
        earlier.append(backup.save(kernel, wanted.folder, attachment, before))

    made = plan(wanted, attachment)
    try:
        return apply.add(kernel, made, lambda: _told(prev_result, wanted, attachment.ifname), keep)
    except BaseException:
        for content in earlier:
            _put_back(wanted.folder, attachment, content)
        raise


def _put_back(folder: str, attachment: Attachment, content: bytes | None) -> None:
    """Make the file what it was; the failure before this is the one to report, and DEL will follow it."""
    from core.kernel import backup  # late: as above

    try:
        backup.put_back(folder, attachment, content)
    except CNIError:
        return


def _refuse(request: Request, wanted: Options) -> None:
    """Raise CNIError for a sysctl that is there twice, or not allowed."""
    from plugins.tuning import allowlist  # late: only where there are sysctls

    refuse_repeated(request.stdin)
    allowlist.refuse_others([key for key, _ in wanted.sysctls.values()])


def _told(prev_result: Result, wanted: Options, ifname: str) -> Result:
    """prevResult with the new MAC and MTU of the interface.

    One of that name in the host is another, as long as one in the container is listed.
    """
    listed = [item for item in prev_result["interfaces"] if item.get("name") == ifname]
    own = [item for item in listed if item.get("sandbox")] or listed
    told = {"mac": mac_text(wanted.mac)} if wanted.mac else {}
    interfaces = [
        {**item, **told, **({"mtu": wanted.mtu} if wanted.mtu and "mtu" in item else {})}
        if item in own
        else item
        for item in prev_result["interfaces"]
    ]
    return {**prev_result, "interfaces": interfaces}


def differences(kernel: Any, request: Request, wanted: Options, _prev_result: Result) -> list[str]:
    """What is not as ADD has made it.

    Promiscuous only where that is asked for: it may have been switched on since, and is none of ours then.
    """
    from core.plan import difference  # late: CHECK only

    return difference.check(kernel, plan(wanted, request.attachment))


def delete(request: Request) -> None:
    """Write back what ADD has found. What cannot be read, no retry would cure: it is told, and left."""
    folder = _folder(request.config)
    if system.absent(folder):
        return
    from core.kernel import backup  # late: nearly always nothing was changed
    from core.plan.kept import Damaged

    if not backup.is_there(folder, request.attachment):
        return
    with chained.opened(request, if_any=True) as kernel:
        try:
            failures = backup.restore(kernel, folder, request.attachment)
        except Damaged as error:
            system.tell(NAME, str(error))
            return
    apply.raise_all(failures, again=True)


def gc(request: Request) -> None:
    """Remove what was kept for attachments of this network that are not valid; their namespaces are gone."""
    valid = valid_attachments(request.config)
    folder = _folder(request.config)
    if valid is None or system.absent(folder):
        return
    from core.kernel import backup  # late: as above

    network = request.attachment.network
    owners = {owner_text(network, *attachment) for attachment in valid}
    apply.raise_all(backup.collect(folder, network, owners))


def _folder(config: Section) -> str:
    """dataDir; the default where it is no path."""
    value = config.get("dataDir")
    return value if isinstance(value, str) and value.startswith("/") and "\0" not in value else FOLDER


def status(request: Request) -> None:
    """Raise CNIError where a sysctl is not allowed, or nothing could be kept."""
    wanted = options(request.config, "")
    if not wanted:
        return
    from core.kernel import backup  # late: as above
    from plugins.tuning import allowlist

    try:
        allowlist.refuse_others([key for key, _ in wanted.sysctls.values()])
    except CNIError as error:
        raise CNIError(NOT_AVAILABLE, error.msg, error.details) from None
    if complaint := backup.complaint(wanted.folder):
        raise CNIError(NOT_AVAILABLE, f"dataDir: {complaint}")


COMMANDS = {**chained.COMMANDS, "DEL": delete, "GC": gc, "STATUS": status}
