"""The record that lets 127.0.0.1 of the host reach a container. Pure."""

from __future__ import annotations

from core.record import SETTING, KernelRecord


class LocalnetRouting(KernelRecord):
    """route_localnet=1 on the host interface behind which *destination* is: 127.0.0.1 may then reach it.

    links: names of those that are the attachment's own, besides any veth. No other is touched: it may be the
    host's uplink.
    bridges: any bridge is taken for its own, too: a result before 0.3.0 names no interfaces at all.
    """

    home, lifecycle, identity = "core.kernel.localnet", SETTING, ("destination",)
    absent = "127.0.0.1 does not reach {destination}"
    destination: bytes
    links: tuple[str, ...] = ()
    bridges: bool = False
