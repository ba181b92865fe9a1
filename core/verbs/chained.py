"""What ADD, CHECK, DEL, GC and STATUS do alike in every plugin that is chained behind another.

A plugin of this kind is a module with

    NAME, VERSIONS
    KINDS                                               what GC lists
    options(config, args) -> wanted                     every key read and checked
    carry_out(kernel, request, wanted, prev_result)     make what is wanted, and return the result
    differences(kernel, request, wanted, prev_result)   the lines that CHECK tells
    footprint(attachment) -> records                    what DEL deletes

and, where it needs them,

    inherited(kernel, attachment) -> failures           delete what another suite or backend made
    unclaimed(kernel, network, valid) -> failures       the same of what no valid (ID, ifname) claims
    remains(kernel, request) -> failures                as inherited, for what only the request tells of
    forget(kernel, gone)                                what follows from what DEL or GC deleted
    available(kernel, wanted)                           raises CNIError where an ADD could not be served
    ENTERS = True                                       where it works in the container's namespace, too

One that keeps what it has changed in files has DEL and GC of its own, and neither KINDS nor footprint.

Its *wanted* is false where nothing is asked for, so that no kernel is opened. The request names the module.
"""

from __future__ import annotations

from core import system
from core.attachment import owner_text
from core.cni import result
from core.cni.config import valid_attachments
from core.errors import INVALID_CONFIG, INVALID_NETNS, CNIError
from core.plan import apply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.protocol import Request
    from core.cni.result import Result


def add(request: Request) -> Result:
    """Add to what prevResult tells of, and answer with the result."""
    plugin: Any = request.plugin
    wanted, prev_result = _configuration(request)
    if not wanted:
        return prev_result
    with opened(request) as kernel:
        made: Result = plugin.carry_out(kernel, request, wanted, prev_result)
        for note in dict.fromkeys(kernel.notes):
            system.tell(plugin.NAME, note)
        return made


def _configuration(request: Request) -> tuple[Any, Result]:
    """The options and prevResult. Raises CNIError when there is none."""
    plugin: Any = request.plugin
    wanted = plugin.options(request.config, request.args)
    prev_result = result.parse_prev(request.config, request.version)
    if prev_result is None:
        alone = f"prevResult: {plugin.NAME} must be called as a chained plugin"
        raise CNIError(INVALID_CONFIG, alone, "list it behind the plugin that makes the interface")
    return wanted, prev_result


def opened(request: Request, if_any: bool = False) -> Any:
    """The host's kernel, and that of the container's namespace where the plugin ENTERS it.

    if_any: a namespace that is gone, or was never one, is no obstacle. Raises CNIError(INVALID_NETNS).
    """
    from core.kernel.kernel import Kernel  # late: often nothing is asked for

    netns = request.attachment.netns if hasattr(request.plugin, "ENTERS") else ""
    try:
        return (request.kernel or Kernel)(netns)
    except (FileNotFoundError, CNIError) as error:
        if if_any:
            return (request.kernel or Kernel)("")
        if isinstance(error, CNIError):
            raise
        raise CNIError(INVALID_NETNS, str(error.strerror)) from None


def witness(kernel: Any, attachment: Attachment, prev_result: Result) -> str:
    """What will prove that the attachment is gone, besides the host veth that our bridge names after it.

    It stands behind the owner in the comments of elements. Raises OSError.
    """
    links = result.host_links(prev_result, attachment.ifname)
    if attachment.host_ifname in links:
        return ""
    from core.kernel import witness  # late: behind another suite's plugin

    return witness.words(kernel, attachment.owner, links, attachment.netns)


def check(request: Request) -> None:
    """Compare all that ADD made; report every difference."""
    from core.plan import difference  # late: CHECK only

    plugin: Any = request.plugin
    wanted, prev_result = _configuration(request)
    if wanted:
        with opened(request) as kernel:
            difference.report(plugin.differences(kernel, request, wanted, prev_result))


def delete(request: Request) -> None:
    """Delete all of this attachment, whichever suite made it and whatever the configuration says by now."""
    plugin: Any = request.plugin
    gone: list[object] = []
    with opened(request, if_any=True) as kernel:
        failures = apply.delete(kernel, plugin.footprint(request.attachment), gone)
        if hasattr(plugin, "inherited"):
            failures += plugin.inherited(kernel, request.attachment)
        if hasattr(plugin, "remains"):
            failures += plugin.remains(kernel, request)
        if hasattr(plugin, "forget"):
            plugin.forget(kernel, gone)
    apply.raise_all(failures, again=True)


def gc(request: Request) -> None:
    """Delete what this network owns and no valid attachment claims."""
    plugin: Any = request.plugin
    valid = valid_attachments(request.config)
    if valid is None:
        return
    network = request.attachment.network
    gone: list[object] = []
    with opened(request, if_any=True) as kernel:
        failures = apply.gc(
            kernel, network, plugin.KINDS, {owner_text(network, *attachment) for attachment in valid}, gone
        )
        if hasattr(plugin, "unclaimed"):
            failures += plugin.unclaimed(kernel, network, valid)
        if hasattr(plugin, "forget"):
            plugin.forget(kernel, gone)
    apply.raise_all(failures)


def status(request: Request) -> None:
    """Whether an ADD could be served now. Raises CNIError."""
    plugin: Any = request.plugin
    wanted = plugin.options(request.config, "")
    if hasattr(plugin, "available"):
        with opened(request, if_any=True) as kernel:
            plugin.available(kernel, wanted)


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete, "GC": gc, "STATUS": status}
