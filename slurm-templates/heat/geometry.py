"""The geometry of a plate: figures of several materials on the unit square."""

import math


class Wrong(Exception):
    """The geometry cannot be read; the text names the line and the remedy."""


class Material:
    def __init__(self, conductivity, temperature):
        self.conductivity, self.temperature = conductivity, temperature


def near_line(points, half):
    """Whether a point is within `half` of a polyline."""
    pieces = []
    for (ax, ay), (bx, by) in zip(points, points[1:]):
        dx, dy = bx - ax, by - ay
        pieces.append((ax, ay, dx, dy, dx * dx + dy * dy))
    square = half * half

    def inside(x, y):
        for ax, ay, dx, dy, length in pieces:
            px, py = x - ax, y - ay
            t = 0.0 if length == 0.0 else max(0.0, min(1.0, (px * dx + py * dy) / length))
            ex, ey = px - t * dx, py - t * dy
            if ex * ex + ey * ey <= square:
                return True
        return False

    return inside


def figure(kind, n, where):
    """A test of whether a point is inside, and a box around the figure."""

    def need(condition, what):
        if not condition:
            raise Wrong("%s: %s needs %s" % (where, kind, what))

    if kind == "box":
        need(len(n) == 4 and n[0] < n[2] and n[1] < n[3], "x0 y0 x1 y1 with x0 < x1 and y0 < y1")
        return (lambda x, y: n[0] <= x <= n[2] and n[1] <= y <= n[3]), tuple(n)
    if kind == "disc":
        need(len(n) == 3 and n[2] > 0, "x y radius")
        square = n[2] * n[2]
        return (lambda x, y: (x - n[0]) ** 2 + (y - n[1]) ** 2 <= square), (
            n[0] - n[2], n[1] - n[2], n[0] + n[2], n[1] + n[2])
    if kind == "ring":
        need(len(n) in (4, 6) and 0 <= n[2] < n[3], "x y inner outer [from to] with inner < outer, angles in degrees")
        inner, outer = n[2] * n[2], n[3] * n[3]
        start, sweep = (n[4], (n[5] - n[4]) % 360.0 or 360.0) if len(n) == 6 else (0.0, 360.0)

        def inside(x, y):
            dx, dy = x - n[0], y - n[1]
            if not inner <= dx * dx + dy * dy <= outer:
                return False
            # Angles count anticlockwise from the right; y grows downwards.
            return (math.degrees(math.atan2(-dy, dx)) - start) % 360.0 <= sweep

        return inside, (n[0] - n[3], n[1] - n[3], n[0] + n[3], n[1] + n[3])
    if kind == "line":
        need(len(n) >= 5 and len(n) % 2 == 1 and n[0] > 0, "width and at least two points x y")
        points, half = list(zip(n[1::2], n[2::2])), n[0] / 2.0
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        return near_line(points, half), (min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half)
    raise Wrong("%s: %s is no figure; there are: box, disc, ring, line" % (where, kind))


class Plate:
    def __init__(self):
        self.ambient = 20.0
        self.figures = []  # (material, inside, box), later ones over earlier ones

    def rasterise(self, size):
        """Conductivity and held temperature (or None) of every cell, by its centre."""
        conductivity = [[1.0] * size for _ in range(size)]
        held = [[None] * size for _ in range(size)]
        for material, inside, (x0, y0, x1, y1) in self.figures:
            for row in range(max(0, int(y0 * size) - 1), min(size, int(y1 * size) + 2)):
                y = (row + 0.5) / size
                for column in range(max(0, int(x0 * size) - 1), min(size, int(x1 * size) + 2)):
                    if inside((column + 0.5) / size, y):
                        conductivity[row][column] = material.conductivity
                        held[row][column] = material.temperature
        return conductivity, held


def parse(data):
    """Reads a geometry. See example/mesh.dat for the format."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise Wrong("mesh.dat: is not UTF-8 text (byte %d); save it as UTF-8" % error.start) from None
    plate, materials, begun = Plate(), {}, False
    for number, line in enumerate(lines, 1):
        where = "mesh.dat:%d" % number
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if not begun:
            if words != ["heat-mesh", "1"]:
                raise Wrong("%s: the first line must be: heat-mesh 1" % where)
            begun = True
            continue

        def numbers(texts):
            try:
                values = [float(t) for t in texts]
            except ValueError:
                raise Wrong("%s: %s: a number was expected" % (where, " ".join(texts))) from None
            if not all(map(math.isfinite, values)):
                raise Wrong("%s: numbers must be finite" % where)
            return values

        if words[0] == "ambient":
            values = numbers(words[1:])
            if len(values) != 1:
                raise Wrong("%s: write: ambient <degrees>" % where)
            plate.ambient = values[0]
        elif words[0] == "material":
            values = numbers(words[2:])
            if len(values) not in (1, 2) or not 1e-6 <= values[0] <= 1e6:
                raise Wrong("%s: write: material <name> <conductivity, 1e-6 to 1e6> [<held degrees>]" % where)
            materials[words[1]] = Material(values[0], values[1] if len(values) == 2 else None)
        else:
            if len(words) < 2 or words[1] not in materials:
                known = ", ".join(materials) or "none yet"
                raise Wrong("%s: write: <figure> <material> <numbers>; materials so far: %s" % (where, known))
            inside, box = figure(words[0], numbers(words[2:]), where)
            plate.figures.append((materials[words[1]], inside, box))
    if not begun:
        raise Wrong("mesh.dat: is empty; the first line must be: heat-mesh 1")
    return plate
