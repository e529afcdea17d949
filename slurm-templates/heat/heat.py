"""Heat spreading through a plate: explicit finite volumes on a square grid.

Reads parameters from VE_PARAMS_FILE and the geometry from VE_INPUT_DIR/mesh.dat; writes heat.png, heat.json and
history.csv to VE_OUTPUT_DIR. Exit status: 0 done, 65 the geometry is wrong, 75 stopped at a checkpoint (run again to
go on). Only the standard library is used.
"""

import array
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import zlib

from os import path

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import geometry  # noqa: E402  (the isolated interpreter does not look beside the program by itself)
import picture  # noqa: E402

CHECKPOINT = "heat.state"


class Stopped(Exception):
    """The scheduler warned that the time is nearly up."""


def harmonic(a, b):
    return 2.0 * a * b / (a + b)


def coefficients(conductivity, held, size):
    """Per row of cells five lists: the weights of a cell and of its left, right, upper and lower neighbours in the
    cell's next temperature. A held cell keeps its own; nothing flows over the rim."""
    greatest = max(max(row) for row in conductivity)
    # Stable while every cell's own weight stays positive: step <= 1 / (4 k). 90 % of that.
    step = 0.9 / (4.0 * greatest)
    rows = []
    for y in range(size):
        own, left, right, up, down = [], [], [], [], []
        here = conductivity[y]
        for x in range(size):
            if held[y][x] is not None:
                weights = (0.0, 0.0, 0.0, 0.0)
            else:
                k = here[x]
                weights = (
                    step * harmonic(k, here[x - 1]) if x > 0 else 0.0,
                    step * harmonic(k, here[x + 1]) if x < size - 1 else 0.0,
                    step * harmonic(k, conductivity[y - 1][x]) if y > 0 else 0.0,
                    step * harmonic(k, conductivity[y + 1][x]) if y < size - 1 else 0.0,
                )
            left.append(weights[0])
            right.append(weights[1])
            up.append(weights[2])
            down.append(weights[3])
            own.append(1.0 - (weights[0] + weights[1] + weights[2] + weights[3]))
        rows.append((own, left, right, up, down))
    return rows, step


def advance(band, above, below, weights):
    """One step of a band of rows, `above` and `below` being the rows next to it. Rows have a spare cell at each end."""
    fresh = []
    last = len(band) - 1
    for i, row in enumerate(band):
        upper = band[i - 1] if i else above
        lower = band[i + 1] if i < last else below
        own, left, right, up, down = weights[i]
        fresh.append([0.0, *[
            c * kc + l * kl + r * kr + u * ku + d * kd
            for l, c, r, u, d, kc, kl, kr, ku, kd in zip(
                row, row[1:], row[2:], upper[1:], lower[1:], own, left, right, up, down)
        ], 0.0])
    return fresh


def pack(row):
    return array.array("d", row).tobytes()


def unpack(data):
    row = array.array("d")
    row.frombytes(data)
    return row.tolist()


def worker(band, weights, upper, lower, control):
    """A process that looks after a band of rows. Neighbours exchange their outer rows at every step."""
    for number in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    edge = [0.0] * len(band[0])
    try:
        while True:
            count = control.recv()
            for _ in range(count):
                # A row fits into a pipe's buffer, so both can be sent before any is received.
                if upper:
                    upper.send_bytes(pack(band[0]))
                if lower:
                    lower.send_bytes(pack(band[-1]))
                above = unpack(upper.recv_bytes()) if upper else edge
                below = unpack(lower.recv_bytes()) if lower else edge
                band = advance(band, above, below, weights)
            control.send_bytes(b"".join(pack(row) for row in band))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class Serial:
    """All rows in this process."""

    def __init__(self, field, weights):
        self.field, self.weights = field, weights

    def run(self, steps):
        edge = [0.0] * len(self.field[0])
        for _ in range(steps):
            self.field = advance(self.field, edge, edge, self.weights)
        return self.field

    def close(self):
        pass


class Bands:
    """Rows shared out among processes."""

    def __init__(self, field, weights, count):
        context = multiprocessing.get_context("fork")
        self.width = len(field[0])
        bounds = [len(field) * i // count for i in range(count + 1)]
        seams = [context.Pipe() for _ in range(count - 1)]
        self.controls, self.processes = [], []
        for i in range(count):
            ours, theirs = context.Pipe()
            first, end = bounds[i], bounds[i + 1]
            upper = seams[i - 1][1] if i else None
            lower = seams[i][0] if i < count - 1 else None
            process = context.Process(
                target=worker, args=(field[first:end], weights[first:end], upper, lower, theirs), daemon=True)
            process.start()
            theirs.close()
            self.controls.append(ours)
            self.processes.append(process)
        for seam in seams:
            seam[0].close()
            seam[1].close()

    def run(self, steps):
        for control in self.controls:
            control.send(steps)
        field = []
        for control in self.controls:
            row = unpack(control.recv_bytes())
            field.extend(row[i:i + self.width] for i in range(0, len(row), self.width))
        return field

    def close(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def fingerprint(parameters, mesh):
    """What a checkpoint must agree with: everything that changes the numbers, but not how far to go."""
    kept = {k: parameters[k] for k in ("size", "noise", "seed")}
    return "%08x" % (zlib.crc32(json.dumps(kept, sort_keys=True).encode() + mesh) & 0xFFFFFFFF)


def save(folder, mark, step, field, history):
    head = json.dumps({"mark": mark, "step": step, "width": len(field[0]), "history": history}).encode()
    body = zlib.compress(b"".join(pack(row) for row in field), 1)
    write(path.join(folder, CHECKPOINT), b"%d\n%s%s" % (len(head), head, body))


def restore(folder, mark):
    """The state to go on from, or None. A checkpoint of another job is no reason to fail, only to begin anew."""
    try:
        with open(path.join(folder, CHECKPOINT), "rb") as data:
            head = json.loads(data.read(int(data.readline())))
            cells = unpack(zlib.decompress(data.read()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zlib.error) as error:
        print("the checkpoint cannot be read (%s); beginning anew" % error, flush=True)
        return None
    if head.get("mark") != mark:
        print("the checkpoint is of another job; beginning anew", flush=True)
        return None
    width = head["width"]
    return head["step"], [cells[i:i + width] for i in range(0, len(cells), width)], head["history"]


def measure(step, field, held):
    """(step, least, mean, greatest, mean of what is not held)"""
    rows = [row[1:-1] for row in field]
    free = [t for row, fixed in zip(rows, held) for t, h in zip(row, fixed) if h is None]
    count = len(rows) * len(rows[0])
    mean = sum(map(sum, rows)) / count
    return [step, min(map(min, rows)), mean, max(map(max, rows)), sum(free) / len(free) if free else mean]


def outputs(folder, parameters, plate, seconds_per_step, field, history, done):
    temperatures = [row[1:-1] for row in field]
    image = picture.plate(temperatures, plate, parameters["image"])
    write(path.join(folder, "heat.png"), image)
    lines = ["step,time_s,least_c,mean_c,greatest_c,mean_free_c"]
    lines += ["%d,%.6g,%.4f,%.4f,%.4f,%.4f" % (h[0], h[0] * seconds_per_step, *h[1:]) for h in history]
    write(path.join(folder, "history.csv"), ("\n".join(lines) + "\n").encode())
    last = history[-1]
    summary = {
        "complete": done,
        "steps": last[0],
        "time_s": last[0] * seconds_per_step,
        "size": parameters["size"],
        "least_c": last[1],
        "mean_c": last[2],
        "greatest_c": last[3],
        "mean_free_c": last[4],
        "parameters": parameters,
    }
    write(path.join(folder, "heat.json"), (json.dumps(summary, indent=2, sort_keys=True) + "\n").encode())


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    with open(path.join(os.environ["VE_INPUT_DIR"], "mesh.dat"), "rb") as file:
        mesh = file.read()
    checkpoints, results = os.environ["VE_CHECKPOINT_DIR"], os.environ["VE_OUTPUT_DIR"]
    size, steps = parameters["size"], parameters["steps"]
    plate = geometry.parse(mesh)
    conductivity, held = plate.rasterise(size)
    weights, scaled = coefficients(conductivity, held, size)
    cell = parameters["side"] / size
    seconds_per_step = scaled * cell * cell / parameters["alpha"]

    warned = []
    signal.signal(signal.SIGUSR1, lambda *_: warned.append(True))

    mark = fingerprint(parameters, mesh)
    state = restore(checkpoints, mark)
    if state and state[0] <= steps:
        step, field, history = state
        print("going on from the checkpoint at step %d" % step, flush=True)
    else:
        source = random.Random(parameters["seed"])
        field = []
        for y in range(size):
            row = [held[y][x] if held[y][x] is not None else plate.ambient + parameters["noise"] * (source.random() - 0.5)
                   for x in range(size)]
            field.append([0.0, *row, 0.0])
        step, history = 0, [measure(0, field, held)]

    count = max(1, min(int(os.environ.get("VE_CPUS", "1")), size // 4))
    print("plate of %d x %d cells, %d steps of %.4g s, %d process%s" % (
        size, size, steps, seconds_per_step, count, "" if count == 1 else "es"), flush=True)
    engine = Bands(field, weights, count) if count > 1 else Serial(field, weights)
    every, saves = max(1, steps // 100), parameters["checkpoint_every"]
    began, first, said = time.monotonic(), step, 0.0
    try:
        while step < steps:
            if warned:
                raise Stopped
            # Up to the next step at which something is written.
            aim = min(steps, step - step % every + every, step - step % saves + saves)
            field = engine.run(aim - step)
            step = aim
            if step % every == 0 or step == steps:
                history.append(measure(step, field, held))
            if step % saves == 0 and step < steps:
                save(checkpoints, mark, step, field, history)
            elapsed = time.monotonic() - began
            if elapsed - said >= 0.5 or step == steps:
                said = elapsed
                left = elapsed / (step - first) * (steps - step)
                print("step %d/%d  %3d %%  mean %.1f C  %.1f s, %.0f s to go" % (
                    step, steps, 100 * step // steps, history[-1][2], elapsed, left), flush=True)
    except Stopped:
        save(checkpoints, mark, step, field, history)
        if history[-1][0] != step:
            history = history + [measure(step, field, held)]
        outputs(results, parameters, plate, seconds_per_step, field, history, False)
        print("time is nearly up: stopped at step %d with a checkpoint; run again to go on" % step, flush=True)
        return 75
    finally:
        engine.close()
    print("drawing", flush=True)
    outputs(results, parameters, plate, seconds_per_step, field, history, True)
    print("done: mean %.1f C, greatest %.1f C" % (history[-1][2], history[-1][3]), flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except geometry.Wrong as error:
        print(error, file=sys.stderr)
        sys.exit(65)
