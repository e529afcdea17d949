"""One task's share of a sweep over the logistic map, and the joining of all shares.

Task VE_TASK_ID of `tasks` writes part-<task>.json to VE_OUTPUT_DIR. Whoever then finds all parts joins them: the
result is a function of the parts alone and is put in place in one move, so that two tasks may do it at once.
"""

import json
import math
import os
import random
import struct
import sys
import zlib

from os import path


def write(target, data):
    """Writes a file whole or not at all, whoever else writes the same one."""
    aside = "%s.%d.new" % (target, os.getpid())
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def column(r, start, iterations, rows):
    """Where x goes for one r: counts by class, mean, Lyapunov exponent (mean of log |r (1 - 2 x)|)."""
    x = start
    for _ in range(iterations // 5):
        x = r * x * (1.0 - x)
    counts = [0] * rows
    total = stretch = 0.0
    top = rows - 1
    product = 1.0
    for _ in range(iterations):
        x = r * x * (1.0 - x)
        counts[min(top, int(x * rows))] += 1
        total += x
        product *= abs(r * (1.0 - 2.0 * x))
        # The logarithm of a product is cheaper than the sum of logarithms, as long as the product stays a number.
        if not 1e-200 < product < 1e200:
            stretch += math.log(max(product, 1e-300))
            product = 1.0
    stretch += math.log(max(product, 1e-300))
    return {
        "r": r, "mean": total / iterations, "lyapunov": stretch / iterations,
        "counts": {str(i): n for i, n in enumerate(counts) if n},
    }


def part_path(folder, task):
    return path.join(folder, "part-%04d.json" % task)


def share(parameters, task):
    """The columns of one task: every tasks-th one, so that dense and empty regions are shared out evenly."""
    return range(task, parameters["columns"], parameters["tasks"])


def work(parameters, task, folder):
    low, high, count = parameters["r_from"], parameters["r_to"], parameters["columns"]
    # Never at 0, 1 or the fixed point: those do not move.
    start = 0.1 + 0.3 * random.Random(parameters["seed"]).random()
    done = []
    mine = share(parameters, task)
    for i, index in enumerate(mine):
        r = low + (high - low) * index / (count - 1)
        done.append(dict(column(r, start, parameters["iterations"], parameters["rows"]), column=index))
        if (i + 1) % max(1, len(mine) // 10) == 0:
            print("task %d: %3d %%" % (task, 100 * (i + 1) // len(mine)), flush=True)
    content = {"parameters": parameters, "task": task, "columns": done}
    write(part_path(folder, task), (json.dumps(content, sort_keys=True) + "\n").encode())


def shade(share_of_peak):
    """Colour of a class by its share of the densest one in its column."""
    t = share_of_peak ** 0.35
    stops = ((0.0, (9, 12, 28)), (0.30, (18, 62, 98)), (0.55, (22, 140, 140)), (0.78, (150, 214, 140)), (1.0, (255, 251, 220)))
    for (a, low), (b, high) in zip(stops, stops[1:]):
        if t <= b:
            f = (t - a) / (b - a)
            return bytes(round(x + f * (y - x)) for x, y in zip(low, high))
    return bytes(stops[-1][1])


def png(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def join(folder):
    """Joins all parts; False if some are still missing."""
    columns, parameters, task = {}, None, 0
    while parameters is None or task < parameters["tasks"]:
        try:
            with open(part_path(folder, task), encoding="utf-8") as file:
                part = json.load(file)
        except FileNotFoundError:
            return False
        if parameters is not None and part["parameters"] != parameters:
            sys.exit("%s is of another sweep: remove it" % part_path(folder, task))
        parameters = part["parameters"]
        columns.update((c["column"], c) for c in part["columns"])
        task += 1
    width, height = parameters["columns"], parameters["rows"]
    scale = [shade(i / 255.0) for i in range(256)]
    picture = [bytearray(scale[0] * width) for _ in range(height)]
    lines = ["r,mean,lyapunov"]
    for x in range(width):
        found = columns[x]
        peak = max(found["counts"].values())
        for row, count in found["counts"].items():
            # x grows upwards in the picture.
            picture[height - 1 - int(row)][3 * x:3 * x + 3] = scale[255 * count // peak]
        lines.append("%.9g,%.9g,%.6f" % (found["r"], found["mean"], found["lyapunov"]))
    write(path.join(folder, "sweep.png"), png(width, height, picture))
    write(path.join(folder, "sweep.csv"), ("\n".join(lines) + "\n").encode())
    return True


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--join":
        if not join(sys.argv[2]):
            sys.exit("some parts are missing")
        return
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    task, folder = int(os.environ.get("VE_TASK_ID", "0")), os.environ["VE_OUTPUT_DIR"]
    if parameters["r_from"] >= parameters["r_to"]:
        print("r_from must be less than r_to", file=sys.stderr)
        sys.exit(65)
    work(parameters, task, folder)
    if join(folder):
        print("task %d: all parts are there; joined them" % task, flush=True)


if __name__ == "__main__":
    main()
