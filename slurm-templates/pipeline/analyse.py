"""Step two: reads step one's table, compares with the exact solution, draws. Exit status: 0 done, 65 no complete table."""

import csv
import json
import math
import os
import sys

from os import path

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import plot  # noqa: E402  (the isolated interpreter does not look beside the program by itself)

CRITICAL = 2.0 / math.log(1.0 + math.sqrt(2.0))


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def exact(temperature):
    """Spontaneous magnetisation of the infinite lattice (Onsager 1944, proved by Yang 1952)."""
    if temperature >= CRITICAL:
        return 0.0
    return (1.0 - math.sinh(2.0 / temperature) ** -4) ** 0.125


def main():
    out = os.environ["VE_OUTPUT_DIR"]
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    with open(path.join(out, "samples.csv"), encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    if len(rows) != parameters["temperatures"]:
        print("samples.csv: has %d temperatures of %d: step one did not finish" % (len(rows), parameters["temperatures"]),
              file=sys.stderr)
        return 65
    peak = max(rows, key=lambda r: r["fluctuation"])
    cold = [r for r in rows if r["temperature"] <= 2.0]
    deviation = max(abs(r["magnetisation"] - exact(r["temperature"])) for r in cold)
    curve = [(t, exact(t)) for t in (1.2 + 2.4 * i / 400 for i in range(401))]
    write(path.join(out, "magnet.svg"), plot.chart(
        "Ising model, %d x %d spins" % (parameters["side"], parameters["side"]), "temperature", "magnetisation per spin",
        [("exact, infinite lattice", curve, "line"),
         ("simulated", [(r["temperature"], r["magnetisation"]) for r in rows], "dots")]))
    write(path.join(out, "magnet.json"), (json.dumps({
        "critical_temperature": CRITICAL,
        "greatest_fluctuation_at": peak["temperature"],
        "greatest_deviation_below_2": deviation,
        "temperatures": len(rows),
    }, indent=2, sort_keys=True) + "\n").encode())
    print("fluctuates most at %.3f (exact: %.4f); deviates by at most %.4f below 2" % (
        peak["temperature"], CRITICAL, deviation), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
