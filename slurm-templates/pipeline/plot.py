"""A line chart as SVG, with the standard library only. Templates that draw charts carry the same copy of this file."""

from html import escape
from math import floor, log10

COLOURS = ("#12627a", "#d1495b", "#edae49", "#3f7d20", "#6c4ab6")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 84, 20, 44, 56


def ticks(low, high, about=6):
    """Round numbers from low to high, about that many: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    power = 10.0 ** floor(log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = floor(low / step + 0.999)
    return [round(i * step, 12) for i in range(int(first), int(floor(high / step + 0.001)) + 1)]


def span(values):
    low, high = min(values), max(values)
    pad = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
    return low - pad, high + pad


def chart(title, across, up, series):
    """The SVG's bytes. `series`: (name, [(x, y), ...], "line" or "dots"), at least one point in all."""
    points = [p for _, line, _ in series for p in line]
    (x0, x1), (y0, y1) = span([p[0] for p in points]), span([p[1] for p in points])

    def place(x, y):
        return (LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT), TOP + (y1 - y) / (y1 - y0) * (HEIGHT - TOP - BOTTOM))

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" '
           'fill="#222"><rect width="100%%" height="100%%" fill="#fff"/>' % (WIDTH, HEIGHT)]
    for value in ticks(x0, x1):
        x = place(value, y0)[0]
        out.append('<path d="M%.1f %d V%d" stroke="#e4e4e4"/>' % (x, TOP, HEIGHT - BOTTOM))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%g</text>' % (x, HEIGHT - BOTTOM + 18, value))
    for value in ticks(y0, y1):
        y = place(x0, value)[1]
        out.append('<path d="M%d %.1f H%d" stroke="#e4e4e4"/>' % (LEFT, y, WIDTH - RIGHT))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%g</text>' % (LEFT - 8, y + 4, value))
    for i, (name, line, style) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        placed = [place(x, y) for x, y in line]
        if style == "line":
            path = " ".join("%.1f,%.1f" % p for p in placed)
            out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>' % (path, colour))
        else:
            out += ['<circle cx="%.1f" cy="%.1f" r="3.2" fill="%s"/>' % (x, y, colour) for x, y in placed]
        out.append('<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>' % (
            WIDTH - RIGHT - 8, TOP + 20 + 17 * i, colour, escape(name)))
    out.append('<text x="%d" y="26" font-size="16" font-weight="bold">%s</text>' % (LEFT, escape(title)))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 14, escape(across)))
    out.append('<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>' % (
        (TOP + HEIGHT - BOTTOM) // 2, escape(up)))
    out.append("</svg>\n")
    return "\n".join(out).encode()
