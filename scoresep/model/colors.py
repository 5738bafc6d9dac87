"""Colours of parts: defaults that people with any colour vision tell apart, and how legible a colour is on a ground.

Colours are written ``#rrggbb``. What is drawn with them, and where, is not known here.
"""

from __future__ import annotations

# Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/; black and the pale yellow come last,
# since one of them is hard to see on a dark and the other on a light ground.
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c8c8c", "#f0e442")

# Of what no part owns: none of the parts' hues.
RESIDUAL_COLOR = "#8c8c8c"
# What a thing that is not text should have against its ground (WCAG 2.2, success criterion 1.4.11).
LEGIBLE_CONTRAST = 3.0


def default_part_colors(count: int) -> tuple[str, ...]:
    """Return a colour for each of `count` parts; after the eighth the same hues come again, lighter, then darker.

    Parameters
    ----------
    count : int

    Returns
    -------
    colors : tuple of str
        ``#rrggbb``; all different for up to 40 parts.
    """
    shades: list[str] = []
    for i in range(count):
        color, turn = OKABE_ITO[i % len(OKABE_ITO)], i // len(OKABE_ITO)
        ground = "#ffffff" if turn % 2 else "#000000"
        shades.append(mix_colors(color, ground, min(0.22 * ((turn + 1) // 2) * 1.5, 0.8)))
    return tuple(shades)


def mix_colors(color: str, other: str, share: float) -> str:
    """Mix two colours, channel by channel.

    Parameters
    ----------
    color, other : str
        ``#rrggbb``.
    share : float
        How much of `other` the result holds, 0 to 1.
    """
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def contrast(color: str, ground: str) -> float:
    """Return the contrast of two colours, 1 (none) to 21 (black on white).

    References
    ----------
    W3C, Web Content Accessibility Guidelines 2.2 (2023), definitions of contrast ratio and relative luminance.
    """
    light, dark = sorted((_luminance(color), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def make_legible(color: str, ground: str, least: float = LEGIBLE_CONTRAST) -> str:
    """Return `color`, moved towards white or black just until its contrast with `ground` is at least `least`.

    Parameters
    ----------
    color, ground : str
        ``#rrggbb``.
    least : float
        Contrast, 1 to 21, as `contrast` measures it.
    """
    target = max("#ffffff", "#000000", key=lambda end: contrast(end, ground))
    for step in range(21):
        candidate = mix_colors(color, target, step / 20)
        if contrast(candidate, ground) >= least:
            return candidate
    return target


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
