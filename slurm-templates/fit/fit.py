"""Least squares: the polynomial that fits points.csv best. Exit status: 0 done, 65 the points are wrong."""

import json
import math
import os
import sys

from os import path

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import plot  # noqa: E402  (the isolated interpreter does not look beside the program by itself)


class Wrong(Exception):
    """What is wrong with the input, and where."""


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def read(file):
    points, named = [], False
    for number, line in enumerate(file, 1):
        words = line.strip().replace(";", ",").split(",")
        if words == [""] or words[0].startswith("#"):
            continue
        try:
            x, y = map(float, words)
        except ValueError:
            if not points and not named:
                named = True
                continue
            raise Wrong("points.csv:%d: write two numbers, x,y" % number) from None
        if not (math.isfinite(x) and math.isfinite(y)):
            raise Wrong("points.csv:%d: numbers must be finite" % number)
        points.append((x, y))
    return points


def chebyshev(t, degree):
    """T_0(t) to T_degree(t), by T_n+1 = 2 t T_n - T_n-1."""
    values = [1.0, t]
    while len(values) <= degree:
        values.append(2.0 * t * values[-1] - values[-2])
    return values[:degree + 1]


def invert(matrix):
    """Inverse by Gauss-Jordan elimination with pivoting."""
    size = len(matrix)
    rows = [list(row) + [float(i == j) for j in range(size)] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        if abs(rows[pivot][i]) < 1e-12 * len(rows):
            raise Wrong("points.csv: too few different x for this degree; give more points or a lower degree")
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(size):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    return [row[size:] for row in rows]


def powers(degree, centre, half):
    """Row n: the coefficients of T_n((x - centre) / half) in powers of x."""
    def times_t(a):
        scaled = [0.0, *(c / half for c in a)]
        return [s - centre / half * c for s, c in zip(scaled, [*a, 0.0])]
    rows = [[1.0], times_t([1.0])]
    while len(rows) <= degree:
        new = [2.0 * c for c in times_t(rows[-1])]
        for i, c in enumerate(rows[-2]):
            new[i] -= c
        rows.append(new)
    return [row + [0.0] * (degree + 1 - len(row)) for row in rows[:degree + 1]]


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    try:
        with open(path.join(os.environ["VE_INPUT_DIR"], "points.csv"), encoding="utf-8") as file:
            data = read(file)
    except UnicodeDecodeError:
        raise Wrong("points.csv: is not UTF-8 text") from None
    degree, out = parameters["degree"], os.environ["VE_OUTPUT_DIR"]
    size = degree + 1
    if len(data) <= size:
        raise Wrong("points.csv: has %d points, but degree %d needs at least %d" % (len(data), degree, size + 1))
    low, high = min(p[0] for p in data), max(p[0] for p in data)
    centre, half = (low + high) / 2.0, (high - low) / 2.0 or 1.0

    # Normal equations in Chebyshev polynomials, whose matrix stays far from singular; averages rather than sums.
    rows = [chebyshev((x - centre) / half, degree) for x, _ in data]
    normal = [[math.fsum(r[i] * r[j] for r in rows) / len(data) for j in range(size)] for i in range(size)]
    right = [math.fsum(r[i] * y for r, (_, y) in zip(rows, data)) / len(data) for i in range(size)]
    inverse = invert(normal)
    weights = [math.fsum(a * b for a, b in zip(row, right)) for row in inverse]

    def curve(x):
        return math.fsum(w * t for w, t in zip(weights, chebyshev((x - centre) / half, degree)))

    squares = math.fsum((y - curve(x)) ** 2 for x, y in data)
    mean = math.fsum(y for _, y in data) / len(data)
    total = math.fsum((y - mean) ** 2 for _, y in data)
    variance = squares / (len(data) - size)
    change = powers(degree, centre, half)
    coefficients = [math.fsum(weights[n] * change[n][k] for n in range(size)) for k in range(size)]
    errors = [math.sqrt(max(0.0, variance / len(data) * math.fsum(
        change[m][k] * inverse[m][n] * change[n][k] for m in range(size) for n in range(size)))) for k in range(size)]

    count = parameters["points"]
    line = [(x, curve(x)) for x in (low + (high - low) * i / (count - 1) for i in range(count))]
    write(path.join(out, "curve.csv"), ("x,y\n" + "".join("%.10g,%.10g\n" % p for p in line)).encode())
    thin = data[::max(1, len(data) // 5000)]
    write(path.join(out, "fit.svg"), plot.chart(
        "Polynomial of degree %d" % degree, "x", "y", [("fit", line, "line"), ("points", thin, "dots")]))
    write(path.join(out, "fit.json"), (json.dumps({
        "points": len(data), "degree": degree, "coefficients": coefficients, "standard_errors": errors,
        "residual_standard_deviation": math.sqrt(variance), "r_squared": 1.0 - squares / total if total else 1.0,
    }, indent=2, sort_keys=True) + "\n").encode())
    print("%d points, degree %d: residual standard deviation %.4g" % (len(data), degree, math.sqrt(variance)), flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as error:
        print(error, file=sys.stderr)
        sys.exit(65)
