"""The benchmark's picture, written as SVG: who finds how much, and whether the stated confidence is true."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from calibration import BINS, Curve

COLORS = ("#2a6f97", "#e07a3f", "#7a7a7a", "#5a9c5a")
SIZE, GAP, MARGIN = 300, 90, 60


def write_picture(path: Path, shares: dict[str, dict[str, float]], curves: dict[str, Curve]) -> None:
    """Draw bars of the shares (program -> tolerance -> share) and one panel for each curve, side by side."""
    width = MARGIN + (SIZE + GAP) * (1 + len(curves))
    height = SIZE + 2 * MARGIN + 30
    body = _bars(MARGIN, shares)
    for i, (title, curve) in enumerate(curves.items(), 1):
        body += _calibration(MARGIN + i * (SIZE + GAP), title, curve)
    font = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>'
    path.write_text("\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *body, "</svg>\n"]))


def _text(x: float, y: float, text: str, anchor: str = "middle", color: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _line(x0: float, y0: float, x1: float, y1: float, color: str = "#ccc", width: float = 1) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{color}" stroke-width="{width}"/>'


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def _frame(left: float, title: str) -> list[str]:
    out = [_text(left + SIZE / 2, MARGIN - 20, title)]
    for tenth in range(0, 11, 2):
        y = MARGIN + SIZE * (1 - tenth / 10)
        out += [_line(left, y, left + SIZE, y), _text(left - 6, y + 4, f"{tenth / 10:.1f}", "end")]
    return out


def _bars(left: float, shares: dict[str, dict[str, float]]) -> list[str]:
    out = _frame(left, "share of notes found")
    tolerances = list(next(iter(shares.values())))
    room = SIZE / len(tolerances)
    bar = 0.8 * room / len(shares)
    for i, (program, values) in enumerate(shares.items()):
        color = COLORS[i % len(COLORS)]
        for k, value in enumerate(values.values()):
            x = left + k * room + 0.1 * room + i * bar
            out.append(_rect(x, MARGIN + SIZE * (1 - value), bar - 1, SIZE * value, color))
            out.append(_text(x + bar / 2, MARGIN + SIZE * (1 - value) - 4, f"{100 * value:.0f}", color=color))
        out.append(_text(left + 90 * i, MARGIN + SIZE + 40, program, "start", color))
    out += [_text(left + (k + 0.5) * room, MARGIN + SIZE + 18, name) for k, name in enumerate(tolerances)]
    return out


def _calibration(left: float, title: str, curve: Curve) -> list[str]:
    out = _frame(left, title)
    out.append(_line(left, MARGIN + SIZE, left + SIZE, MARGIN, "#999"))
    most = max(int(curve.count.max()), 1)
    for i, count in enumerate(curve.count.tolist()):
        tall = 0.25 * SIZE * np.log1p(count) / np.log1p(most)
        out.append(_rect(left + i * SIZE / BINS + 1, MARGIN + SIZE - tall, SIZE / BINS - 2, tall, "#dde6ec"))
        out.append(
            _text(left + (i + 0.5) * SIZE / BINS, MARGIN + SIZE - tall - 3, str(count) if count else "", color="#8aa")
        )
    some = np.flatnonzero(curve.count)
    xs, ys = left + SIZE * curve.stated[some], MARGIN + SIZE * (1 - curve.right[some])
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    out.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[0]}" stroke-width="2"/>')
    out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLORS[0]}"/>' for x, y in zip(xs, ys, strict=True)]
    for tenth in range(0, 11, 2):
        out.append(_text(left + SIZE * tenth / 10, MARGIN + SIZE + 18, f"{tenth / 10:.1f}"))
    out.append(_text(left + SIZE / 2, MARGIN + SIZE + 40, f"stated confidence (error {curve.expected_error:.3f})"))
    return out
