"""The figures as an SVG: a pair of bars for each row, ours and the peer's, on a logarithmic scale."""

from collections.abc import Iterator
from html import escape
from math import log10
from pathlib import Path

from tests.bench.report import OURS, PEER, Figures, figures, ratio
from tests.bench.scenarios import Bench, Row

WIDTH, LEFT, RIGHT, TOP, PITCH, BAR = 1080, 380, 110, 70, 30, 10  # px
COLOURS = {OURS: "#2563a8", PEER: "#c2c7cf"}
STYLE = (
    "text { font: 12px sans-serif; fill: #222 } .small { font-size: 10px; fill: #666 } "
    ".title { font-size: 16px; font-weight: bold }"
)
SVG = "http://www.w3.org/2000/svg"
TITLE = "cniwire and its peer: milliseconds a call, median, with the smallest and the largest"


def svg(bench: Bench) -> str:
    """The whole drawing."""
    known = figures(bench)
    shown = [found for suites in known.values() for found in suites.values()]
    smallest = 10 ** int(log10(min(found.smallest for found in shown)) - 0.001)
    decades = log10(max(found.largest for found in shown) / smallest)
    height = TOP + PITCH * len(known) + 30

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * log10(max(value, smallest) / smallest) / decades

    lines = [
        f'<svg xmlns="{SVG}" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="16" y="26">{TITLE}</text>',
        *legend(bench),
        *grid(x, smallest, decades, height),
    ]
    for number, (row, suites) in enumerate(known.items()):
        lines.extend(bars(row, suites, TOP + PITCH * number, x))
    return "\n".join([*lines, "</svg>", ""])


def legend(bench: Bench) -> Iterator[str]:
    for number, suite in enumerate(bench.suites[:2]):
        left = 16 + 360 * number
        yield f'<rect x="{left}" y="40" width="12" height="12" fill="{COLOURS[suite.name]}"/>'
        yield f'<text class="small" x="{left + 18}" y="50">{escape(f"{suite.name}: {suite.folder}")}</text>'


def grid(x: "Scale", smallest: float, decades: float, height: int) -> Iterator[str]:
    for power in range(int(decades) + 1):
        at, label = x(smallest * 10**power), f"{smallest * 10**power:g}"
        yield f'<line x1="{at:.1f}" y1="{TOP - 6}" x2="{at:.1f}" y2="{height - 24}" stroke="#e3e5e8"/>'
        yield f'<text class="small" x="{at:.1f}" y="{height - 10}" text-anchor="middle">{label}</text>'


def bars(row: Row, suites: dict[str, Figures], top: float, x: "Scale") -> Iterator[str]:
    unit = " (per second)" if row.unit == "1/s" else ""
    label = escape(f"{row.scenario}: {row.verb}{unit}")
    yield f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{label}</text>'
    for number, name in enumerate(name for name in (OURS, PEER) if name in suites):
        found, y = suites[name], top + number * (BAR + 1)
        width, colour, middle = x(found.median) - LEFT, COLOURS[name], y + BAR / 2
        yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        left, right = x(found.smallest), x(found.largest)
        yield f'<line x1="{left:.1f}" y1="{middle}" x2="{right:.1f}" y2="{middle}" stroke="#222"/>'
    found_ratio = ratio(suites)
    if found_ratio is not None:
        at = WIDTH - RIGHT + 12
        yield f'<text class="small" x="{at}" y="{top + 14}">{found_ratio:.2f} of the peer</text>'


def write(bench: Bench, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bench.svg").write_text(svg(bench))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Scale = Callable[[float], float]
