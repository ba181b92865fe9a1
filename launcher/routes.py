"""The routes of this network namespace, read through the plugins' own netlink codec."""

from dataclasses import dataclass

from core.address import V4, V6, text
from core.netlink import link as link_codec
from core.netlink import route as codec
from core.netlink.socket import ROUTE, Socket

LOCAL = 255  # the table that the kernel keeps by itself


@dataclass(frozen=True)
class Route:
    """One next hop of a route; destination with its prefix length, the default's too; gateway "" for none."""

    destination: str
    gateway: str
    link: str
    table: int
    priority: int

    def __str__(self) -> str:
        via = f" via {self.gateway}" if self.gateway else ""
        metric = f" metric {self.priority}" if self.priority else ""
        return f"{self.destination}{via} dev {self.link or '-'} table {self.table}{metric}"


def routes() -> list[Route]:
    """All but those that the kernel keeps for itself; none when they cannot be read."""
    try:
        reader = Socket(ROUTE)
    except OSError:
        return []
    try:
        links = [link_codec.read_link(payload) for _, payload in reader.ask(link_codec.list_links())]
        names = {each.index: each.name for each in links}
        found = []
        for family in (V4, V6):
            for _, payload in reader.ask(codec.list_routes(family)):
                for index, path in codec.read_route(payload):
                    if path.table != LOCAL:
                        dst, gateway = f"{text(path.dst.address)}/{path.dst.prefix_len}", path.gateway
                        via = text(gateway) if gateway else ""
                        found.append(Route(dst, via, names.get(index, ""), path.table or 0, path.priority))
        return found
    except (OSError, ValueError):
        return []
    finally:
        reader.close()
