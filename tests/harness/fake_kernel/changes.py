"""What a fake kernel does with records of what is not ours: kept as long as they differ from the usual."""

from typing import Any

from core.plan.changed import LinkSettings, TunedSysctl
from core.record import replace as changed

Kernel = Any  # tests.harness.fake_kernel.records.Records
UNASKED = LinkSettings("", "")
UNTUNED = "0"  # every sysctl, at first


def by_itself(kernel: Kernel, record: LinkSettings) -> dict[str, Any]:
    """The settings with which a link is made."""
    link = kernel.need(record.place, record.link)
    switches = {"promiscuous": False, "all_multicast": False, "tx_queue_len": 1000}
    return {"mac": link.mac, "mtu": link.mtu, **switches}


def asked(record: LinkSettings | None) -> dict[str, Any]:
    values = {name: getattr(record or UNASKED, name) for name in LinkSettings.__annotations__}
    return {name: value for name, value in values.items() if value != getattr(UNASKED, name)}


def find_settings(kernel: Kernel, record: LinkSettings, found: LinkSettings | None) -> LinkSettings | None:
    if not kernel.link(record.place, record.link):
        return None
    values = by_itself(kernel, record) | asked(found)
    return changed(record, **{name: values[name] for name in asked(record) if name in values})


def keep_settings(kernel: Kernel, record: LinkSettings, found: LinkSettings | None) -> LinkSettings | None:
    usual, values = by_itself(kernel, record), asked(found) | asked(record)
    differ = any(values[name] != usual[name] for name in values if name in usual)
    return LinkSettings(**values) if differ else None


def find_tuned(_kernel: Kernel, record: TunedSysctl, found: TunedSysctl | None) -> TunedSysctl:
    return found or changed(record, value=UNTUNED)


def keep_tuned(_kernel: Kernel, record: TunedSysctl, _found: Any) -> TunedSysctl | None:
    return record if record.value != UNTUNED else None
