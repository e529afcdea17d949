"""Drawing a plate: smooth colours, isotherms, outlines of the figures, a scale. Writes PNG without any library."""

import math
import struct
import zlib

BACKGROUND = (13, 12, 20)
INK = (196, 194, 206)
STOPS = [
    (0.00, (10, 9, 30)), (0.12, (32, 17, 76)), (0.28, (92, 24, 110)), (0.44, (158, 41, 98)), (0.58, (212, 72, 66)),
    (0.72, (243, 123, 27)), (0.86, (252, 186, 44)), (0.95, (251, 236, 150)), (1.00, (255, 253, 240)),
]
SHADES = 1023
MARGIN = 28
GLYPHS = {
    "0": "69996", "1": "26227", "2": "e168f", "3": "e161e", "4": "99f11", "5": "f8e1e", "6": "68e96", "7": "f1244",
    "8": "69696", "9": "69716", "-": "00700", ".": "00002", "C": "78887", "o": "25200", " ": "00000",
}


def png(width, height, rows):
    """A PNG of 8-bit RGB rows."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Filter 1 (difference to the pixel on the left) keeps smooth pictures small.
    packer = zlib.compressobj(6)
    body = b""
    for row in rows:
        shifted = b"\0\0\0" + bytes(row[:-3])
        body += packer.compress(b"\1" + bytes([(a - b) & 255 for a, b in zip(row, shifted)]))
    body += packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def palette():
    colours = []
    for i in range(SHADES + 1):
        t = i / SHADES
        for (a, low), (b, high) in zip(STOPS, STOPS[1:]):
            if t <= b:
                f = (t - a) / (b - a)
                colours.append(tuple(round(x + f * (y - x)) for x, y in zip(low, high)))
                break
    return colours


def cubic(count, target):
    """For every target pixel four source indices and their Catmull-Rom weights."""
    taps = []
    for i in range(target):
        at = (i + 0.5) * count / target - 0.5
        base = math.floor(at)
        t = at - base
        weights = (
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        )
        taps.append((tuple(min(count - 1, max(0, base + k)) for k in (-1, 0, 1, 2)), weights))
    return taps


def enlarge(field, target):
    across = cubic(len(field[0]), target)
    wide = [[row[a] * p + row[b] * q + row[c] * r + row[d] * s for (a, b, c, d), (p, q, r, s) in across] for row in field]
    tall = []
    for (a, b, c, d), (p, q, r, s) in cubic(len(field), target):
        tall.append([e * p + f * q + g * r + h * s for e, f, g, h in zip(wide[a], wide[b], wide[c], wide[d])])
    return tall


def nice_step(span, most):
    """The smallest of 1, 2, 5 x 10^n of which at most `most` fit into span."""
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= raw * 0.999)


def text(rows, x, y, words, scale, colour):
    """Writes small figures into RGB rows."""
    for letter in words:
        for dy, digit in enumerate(GLYPHS[letter]):
            bits = int(digit, 16)
            for dx in range(4):
                if bits & (8 >> dx):
                    for row in rows[y + dy * scale:y + (dy + 1) * scale]:
                        at = 3 * (x + dx * scale)
                        row[at:at + 3 * scale] = bytes(colour) * scale
        x += 5 * scale


def outline(shape, inside, box, pixels):
    """Pixels on the rim of a figure: inside it, with a neighbour outside."""
    x0, y0, x1, y1 = (int(v * pixels) for v in box)
    for y in range(max(0, y0 - 1), min(pixels, y1 + 2)):
        cy = (y + 0.5) / pixels
        line = [inside((x + 0.5) / pixels, cy) for x in range(max(0, x0 - 1), min(pixels, x1 + 2))]
        for i, here in enumerate(line):
            if here:
                x = i + max(0, x0 - 1)
                shape.setdefault(y, set()).add(x)


def plate(field, geometry, pixels):
    """The picture of a field of temperatures, as the bytes of a PNG."""
    low, high = min(map(min, field)), max(map(max, field))
    span = high - low if high - low > 1e-9 else 1.0
    colours = palette()
    # Low temperatures get more of the colours than their share: that is where heat has just arrived.
    gamma = 0.9
    steps = 4096
    shade = [min(SHADES, int(SHADES * (i / steps) ** gamma + 0.5)) for i in range(steps + 1)]
    field = [[(t - low) / span for t in row] for row in field]
    fine = enlarge(field, pixels)
    contour = nice_step(span, 12) / span
    offset = (low / (contour * span)) % 1.0

    held, bodies = {}, {}
    for material, inside, box in geometry.figures:
        outline(held if material.temperature is not None else bodies, inside, box, pixels)

    width, height = pixels + 2 * MARGIN + 118, pixels + 2 * MARGIN
    rows = [bytearray(bytes(BACKGROUND) * width) for _ in range(height)]
    for y, values in enumerate(fine):
        below = fine[min(y + 1, pixels - 1)]
        rims = bodies.get(y, ())
        rims_up, rims_down = bodies.get(y - 1, ()), bodies.get(y + 1, ())
        fixed = held.get(y, ())
        line = bytearray(3 * pixels)
        last = values[0]
        for x, v in enumerate(values):
            v = 0.0 if v < 0.0 else 1.0 if v > 1.0 else v
            r, g, b = colours[shade[int(v * steps)]]
            if x not in fixed:
                # Isotherms: darker where the value is nearer to a level than it changes within a pixel.
                slope = (abs(v - last) + abs(v - below[x])) / contour + 1e-12
                phase = (v / contour + offset) % 1.0
                distance = (phase if phase < 0.5 else 1.0 - phase) / slope
                if distance < 1.0 and slope < 0.5 and 0.004 < v < 0.985:
                    f = 0.70 + 0.30 * distance
                    r, g, b = int(r * f), int(g * f), int(b * f)
                if x in rims and not (x - 1 in rims and x + 1 in rims and x in rims_up and x in rims_down):
                    r, g, b = (r * 3 + 235) // 4, (g * 3 + 235) // 4, (b * 3 + 245) // 4
            last = v
            line[3 * x:3 * x + 3] = bytes((r, g, b))
        rows[MARGIN + y][3 * MARGIN:3 * (MARGIN + pixels)] = line

    left = MARGIN + pixels + 26
    for y in range(pixels):
        v = 1.0 - y / (pixels - 1)
        rows[MARGIN + y][3 * left:3 * (left + 20)] = bytes(colours[shade[int(v * steps)]]) * 20
    tick = nice_step(span, 9)
    value = math.ceil(low / tick) * tick
    while value <= high + 1e-9:
        y = MARGIN + round((1.0 - (value - low) / span) * (pixels - 1))
        rows[y][3 * (left + 20):3 * (left + 27)] = bytes(INK) * 7
        label = ("%d" if tick >= 1 else "%.1f") % value
        text(rows, left + 33, min(max(y - 5, MARGIN), MARGIN + pixels - 10), label, 2, INK)
        value += tick
    text(rows, left, MARGIN - 18, "oC", 2, INK)
    return png(width, height, rows)
