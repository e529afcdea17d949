"""Step one: samples of the Ising model, one temperature after the other in as many processes as there are processors.

Leaves VE_OUTPUT_DIR/samples.csv, whole. A finished temperature is kept in VE_CHECKPOINT_DIR until then.
"""

import json
import math
import multiprocessing
import os
import random

from os import path


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "w", encoding="utf-8") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def sample(side, temperature, sweeps, seed):
    """Metropolis on a torus. (mean |m|, variance of |m| x spins, mean energy per spin)"""
    draw = random.Random(seed).random
    spins = [1] * (side * side)
    accept = {d: math.exp(-d / temperature) for d in (4, 8)}
    count = side * side
    near = [(y * side + (x + 1) % side, y * side + (x - 1) % side, (y + 1) % side * side + x, (y - 1) % side * side + x)
            for y in range(side) for x in range(side)]
    magnetisation, found, energy = count, [], 0.0
    for sweep in range(-(sweeps // 4), sweeps):
        for i in range(count):
            a, b, c, d = near[i]
            cost = 2 * spins[i] * (spins[a] + spins[b] + spins[c] + spins[d])
            if cost <= 0 or draw() < accept[cost]:
                spins[i] = -spins[i]
                magnetisation += 2 * spins[i]
        if sweep >= 0:
            found.append(abs(magnetisation) / count)
            energy -= sum(s * (spins[n[0]] + spins[n[2]]) for s, n in zip(spins, near)) / count
    mean = math.fsum(found) / sweeps
    return mean, math.fsum((m - mean) ** 2 for m in found) / sweeps * count, energy / sweeps


def one(task):
    index, parameters, kept = task
    temperature = 1.2 + 2.4 * index / (parameters["temperatures"] - 1)
    mark = [parameters[k] for k in ("side", "temperatures", "sweeps", "seed")]
    try:
        with open(kept, encoding="utf-8") as file:
            state = json.load(file)
        if state["of"] == mark:
            return index, state["row"]
    except (OSError, ValueError, KeyError):
        pass
    row = [temperature, *sample(parameters["side"], temperature, parameters["sweeps"], parameters["seed"] * 1000 + index)]
    write(kept, json.dumps({"of": mark, "row": row}))
    return index, row


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    count = parameters["temperatures"]
    tasks = [(i, parameters, path.join(os.environ["VE_CHECKPOINT_DIR"], "temperature-%03d.json" % i)) for i in range(count)]
    rows = {}
    with multiprocessing.get_context("fork").Pool(min(int(os.environ["VE_CPUS"]), count)) as pool:
        for index, row in pool.imap_unordered(one, tasks):
            rows[index] = row
            print("%3d %%  temperature %.3f: magnetisation %.3f" % (100 * len(rows) // count, row[0], row[1]), flush=True)
    lines = ["%.6g,%.9g,%.9g,%.9g" % tuple(rows[i]) for i in range(count)]
    write(path.join(os.environ["VE_OUTPUT_DIR"], "samples.csv"),
          "\n".join(["temperature,magnetisation,fluctuation,energy", *lines]) + "\n")


if __name__ == "__main__":
    main()
