"""Bars side by side for every case, as SVG."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

COLORS = ("#999999", "#2a6f97", "#e07a3f", "#5a9c5a", "#8e5ea2", "#c2a83e", "#4f4f4f")
BAR, GAP, HEIGHT, MARGIN, NAMES = 9, 16, 260, 50, 110


def write_bar_chart(path: Path, title: str, table: dict[str, dict[str, float]], low: float, high: float) -> None:
    """Draw one group of bars for each row of the table (case -> method -> value)."""
    methods = list(next(iter(table.values())))
    group = BAR * len(methods) + GAP
    width, bottom = 2 * MARGIN + group * len(table), MARGIN + HEIGHT

    def y(value: float) -> float:
        return MARGIN + HEIGHT * (high - min(max(value, low), high)) / (high - low)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + NAMES}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{bottom + NAMES}" fill="white"/>',
        f'<text x="{MARGIN}" y="18" font-size="13">{escape(title)}</text>',
    ]
    for i, method in enumerate(methods):
        x = MARGIN + i * max(110, (width - 2 * MARGIN) / len(methods))
        out.append(f'<rect x="{x:.0f}" y="28" width="10" height="10" fill="{COLORS[i % len(COLORS)]}"/>')
        out.append(f'<text x="{x + 14:.0f}" y="37">{escape(method)}</text>')
    for tick in range(int(low), int(high) + 1, 5):
        out.append(f'<line x1="{MARGIN}" x2="{width - MARGIN}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{MARGIN - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for k, (case, values) in enumerate(table.items()):
        left = MARGIN + k * group + GAP / 2
        for i, method in enumerate(methods):
            top, foot = sorted((y(values[method]), y(0.0)))
            out.append(
                f'<rect x="{left + i * BAR:.1f}" y="{top:.1f}" width="{BAR - 1}" height="{foot - top:.1f}" '
                f'fill="{COLORS[i % len(COLORS)]}"/>'
            )
        x = left + BAR * len(methods) / 2
        out.append(
            f'<text transform="translate({x:.0f},{bottom + 8}) rotate(-45)" text-anchor="end">{escape(case)}</text>'
        )
    path.write_text("\n".join([*out, "</svg>\n"]), encoding="utf-8")
