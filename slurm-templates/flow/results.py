"""From what flow.c computed to picture and figures."""

import array
import csv
import json
import os
import shutil
import sys

from os import path

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import image  # noqa: E402  (the isolated interpreter does not look beside the program by itself)

STOPS = ((0.0, (23, 72, 140)), (0.35, (120, 177, 214)), (0.5, (248, 248, 246)), (0.65, (235, 145, 112)), (1.0, (160, 26, 40)))


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def shedding(history):
    """(amplitude of the lift, steps of one period or None) in the second half, from where the lift changes its sign
    upwards. One period is not trusted."""
    late = history[len(history) // 2:]
    mean = sum(h[2] for h in late) / len(late)
    amplitude = (max(h[2] for h in late) - min(h[2] for h in late)) / 2.0
    rises = []
    for (s, _, a), (t, _, b) in zip(late, late[1:]):
        if a < mean <= b:
            rises.append(s + (t - s) * (mean - a) / (b - a))
    if len(rises) < 3 or amplitude < 0.02:
        return amplitude, None
    return amplitude, (rises[-1] - rises[0]) / (len(rises) - 1)


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    work, out = os.environ["VE_WORK_DIR"], os.environ["VE_OUTPUT_DIR"]
    height = parameters["height"]
    width = 3 * height
    field = array.array("d")
    with open(path.join(work, "vorticity"), "rb") as file:
        field.frombytes(file.read())
    greatest = sorted(abs(w) for w in field if w == w)[-max(1, len(field) // 200)] or 1.0
    shades = [image.ramp(STOPS, i / 255.0) for i in range(256)]
    body = bytes((52, 52, 56))
    scale = max(1, -(-288 // height))
    rows = []
    for y in range(height):
        row = b"".join(
            (shades[int(127.5 + 127.5 * max(-1.0, min(1.0, w / greatest)))] if w == w else body) * scale
            for w in field[y * width:(y + 1) * width])
        rows += [row] * scale
    write(path.join(out, "flow.png"), image.png(rows))

    with open(path.join(work, "forces.csv"), encoding="utf-8") as file:
        history = [(int(r["step"]), float(r["drag"]), float(r["lift"])) for r in csv.DictReader(file)]
    shutil.copyfile(path.join(work, "forces.csv"), path.join(out, "forces.csv.new"))
    os.replace(path.join(out, "forces.csv.new"), path.join(out, "forces.csv"))
    late = history[len(history) // 2:]
    amplitude, period = shedding(history)
    write(path.join(out, "flow.json"), (json.dumps({
        "cells": [width, height],
        "steps": history[-1][0],
        "reynolds": parameters["reynolds"],
        "mean_drag": sum(h[1] for h in late) / len(late),
        "lift_amplitude": amplitude,
        # Frequency x diameter / speed, by how flow.c chooses the two.
        "strouhal": height / 6.0 / (0.1 * period) if period else None,
    }, indent=2, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
