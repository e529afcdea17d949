"""Gray-Scott reaction-diffusion (Pearson, Science 261, 189, 1993) on a torus, rows shared out among MPI processes.

    du/dt = Du lap u - u v^2 + F (1 - u)        dv/dt = Dv lap v + u v^2 - (F + k) v

Explicit Euler with unit step, 5-point Laplacian, Du = 0.16, Dv = 0.08. Process 0 writes the results.
"""

import json
import os
import sys
import time

from os import path

from mpi4py import MPI
import numpy

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import image  # noqa: E402  (the isolated interpreter does not look beside the program by itself)

DU, DV = 0.16, 0.08
STOPS = ((0.0, (14, 18, 42)), (0.3, (28, 78, 116)), (0.6, (62, 160, 148)), (0.85, (196, 224, 150)), (1.0, (255, 251, 224)))


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def beginning(size, seed):
    """u and v on the whole grid: quiet, with a few squares where the reaction starts."""
    u, v = numpy.ones((size, size)), numpy.zeros((size, size))
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    side = max(4, size // 24)
    for y, x in random.integers(0, size - side, (12, 2)):
        u[y:y + side, x:x + side] = 0.5
        v[y:y + side, x:x + side] = 0.25 + 0.02 * random.random((side, side))
    return u, v


def laplacian(padded):
    """Of the inner rows; columns wrap round."""
    inner = padded[1:-1]
    return padded[:-2] + padded[2:] + numpy.roll(inner, 1, 1) + numpy.roll(inner, -1, 1) - 4.0 * inner


def exchange(comm, fields):
    """Fills the outer rows of both fields from the neighbours, in one message each way. fields: (2, rows + 2, size)."""
    up, down = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    top, bottom = numpy.ascontiguousarray(fields[:, 1]), numpy.ascontiguousarray(fields[:, -2])
    above, below = numpy.empty_like(top), numpy.empty_like(top)
    comm.Sendrecv(top, dest=up, sendtag=1, recvbuf=below, source=down, recvtag=1)
    comm.Sendrecv(bottom, dest=down, sendtag=2, recvbuf=above, source=up, recvtag=2)
    fields[:, 0], fields[:, -1] = above, below


def main():
    comm = MPI.COMM_WORLD
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        p = json.load(file)
    size, steps = p["size"], p["steps"]
    if comm.size > size:
        if comm.rank == 0:
            print("%d processes for %d rows: ask for fewer processors or a larger grid" % (comm.size, size), file=sys.stderr)
        return 65
    bounds = [size * i // comm.size for i in range(comm.size + 1)]
    first, end = bounds[comm.rank], bounds[comm.rank + 1]
    fields = numpy.empty((2, end - first + 2, size))
    fields[0, 1:-1], fields[1, 1:-1] = (whole[first:end] for whole in beginning(size, p["seed"]))

    where = comm.gather(os.environ.get("SLURMD_NODENAME") or MPI.Get_processor_name())
    if comm.rank == 0:
        print("%d processes on %s, %d x %d cells, %d steps" % (
            comm.size, ", ".join(sorted(set(where))), size, size, steps), flush=True)
    began = said = time.monotonic()
    for step in range(1, steps + 1):
        exchange(comm, fields)
        u, v = fields[0, 1:-1], fields[1, 1:-1]
        reaction = u * v * v
        du = DU * laplacian(fields[0]) - reaction + p["feed"] * (1.0 - u)
        dv = DV * laplacian(fields[1]) + reaction - (p["feed"] + p["kill"]) * v
        u += du
        v += dv
        now = time.monotonic()
        if comm.rank == 0 and (now - said > 1.0 or step == steps):
            said = now
            print("step %d/%d  %3d %%  %.1f million cells/s" % (
                step, steps, 100 * step // steps, 1e-6 * size * size * step / (now - began)), flush=True)

    bands = comm.gather(fields[:, 1:-1].copy())
    if comm.rank == 0:
        u, v = numpy.concatenate(bands, axis=1)
        shades = numpy.array([list(image.ramp(STOPS, i / 255.0)) for i in range(256)], dtype=numpy.uint8)
        pixels = shades[numpy.clip(v / max(v.max(), 1e-12) * 255.0, 0, 255).astype(int)]
        scale = max(1, -(-512 // size))
        pixels = pixels.repeat(scale, 0).repeat(scale, 1)
        out = os.environ["VE_OUTPUT_DIR"]
        write(path.join(out, "patterns.png"), image.png([row.tobytes() for row in pixels]))
        write(path.join(out, "patterns.json"), (json.dumps({
            "size": size, "steps": steps, "mean_u": float(u.mean()), "mean_v": float(v.mean()),
            "covered": float((v > 0.1).mean()),
            "processes": comm.size, "nodes": {n: where.count(n) for n in sorted(set(where))},
        }, indent=2, sort_keys=True) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
