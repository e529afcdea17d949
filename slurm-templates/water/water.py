"""Runs GROMACS on a box of water and makes figures of what it found.

Everything GROMACS writes lies in VE_CHECKPOINT_DIR, so that a later attempt goes on. Exit status: 0 done, 65 the box is
wrong, 70 GROMACS failed (its own words are above), 75 stopped at a checkpoint (run again to go on).
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys

from os import path

sys.path.insert(0, path.dirname(path.abspath(__file__)))

import plot  # noqa: E402  (the isolated interpreter does not look beside the program by itself)

STEP_PS = 0.002
SHOWN = ("Potential", "Kinetic-En.", "Total-Energy", "Temperature", "Pressure", "Density")


class Wrong(Exception):
    """What is wrong with the input, and where."""


class Broken(Exception):
    """What GROMACS could not do."""


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def molecules(box):
    """Number of molecules of a .gro file, whose residues must all be water."""
    with open(box, encoding="ascii", errors="replace") as file:
        next(file, None)
        try:
            count = int(next(file, ""))
        except ValueError:
            raise Wrong("box.gro:2: write the number of atoms") from None
        for number in range(count):
            line = next(file, "")
            expected = ("OW", "HW1", "HW2")[number % 3]
            if line[5:10].strip() != "SOL" or line[10:15].strip() != expected:
                raise Wrong("box.gro:%d: expected an atom %s of a residue SOL; see example/box.gro" % (number + 3, expected))
        sides = next(file, "").split()
    if count == 0 or count % 3:
        raise Wrong("box.gro:2: %d atoms are no whole number of water molecules" % count)
    # Twice the range of the forces: a molecule must not meet its own image.
    if len(sides) < 3 or min(map(float, sides[:3])) < 2.0:
        raise Wrong("box.gro:%d: write the box's three sides in nm, each at least 2" % (count + 3))
    return count // 3


class Gromacs:
    """Its commands, in one directory. Passes the warning ahead of the time limit on to the simulation."""

    def __init__(self, folder):
        self.folder, self.child, self.warned = folder, None, False
        signal.signal(signal.SIGTERM, self.warn)

    def warn(self, *_):
        self.warned = True
        if self.child:
            # GROMACS ends at its next step and writes a checkpoint.
            self.child.send_signal(signal.SIGTERM)

    def run(self, *words, answer="", warnable=False):
        """Its standard output, or an error with the last lines of what it said."""
        command = ["gmx", "-quiet", "-nobackup", *words]
        child = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace")
        self.child = child if warnable else None
        if warnable and self.warned:
            self.warn()
        said, _ = child.communicate(answer)
        self.child = None
        # Stopped by the warning its status says nothing, whether it could still write a checkpoint or not.
        if warnable and self.warned:
            return said
        if child.returncode:
            print("\n".join(said.splitlines()[-25:]), file=sys.stderr)
            raise Broken("gmx %s failed with status %d" % (words[0], child.returncode))
        return said


def fill(template, target, values):
    """A copy of the template's own file with its @marks@ replaced by numbers."""
    with open(path.join(os.environ["VE_PROGRAM_DIR"], template), encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace("@%s@" % name, "%.10g" % value)
    write(target, text.encode())


def prepare(gromacs, box, p):
    """run.tpr: the relaxed box with everything that GROMACS has to know."""
    folder = gromacs.folder
    steps = math.ceil(p["picoseconds"] / STEP_PS)
    every = max(1, steps // p["frames"])
    # GROMACS wants what it writes at multiples of what it calculates.
    every = every if every < 10 else every // 10 * 10
    fill("topology.top", path.join(folder, "topology.top"), {"molecules": molecules(box)})
    fill("relax.mdp", path.join(folder, "relax.mdp"), {})
    fill("run.mdp", path.join(folder, "run.mdp"), {
        "steps": steps, "every": every, "calculate": min(every, 10), "temperature": p["temperature"],
        "pressure": p["pressure"], "seed": p["seed"]})
    print("relaxing", flush=True)
    gromacs.run("grompp", "-f", "relax.mdp", "-c", box, "-p", "topology.top", "-o", "relax.tpr", "-maxwarn", "0")
    gromacs.run("mdrun", "-s", "relax.tpr", "-deffnm", "relax", *threads())
    gromacs.run("grompp", "-f", "run.mdp", "-c", "relax.gro", "-p", "topology.top", "-o", "new.tpr", "-maxwarn", "0")
    os.replace(path.join(folder, "new.tpr"), path.join(folder, "run.tpr"))


def threads():
    return "-ntmpi", "1", "-ntomp", os.environ["VE_CPUS"], "-pin", "off", "-nb", "cpu"


def energies(gromacs):
    """[(time, {name: value})], by what GROMACS calls them."""
    gromacs.run("energy", "-f", "run.edr", "-o", "energies.xvg", answer="\n".join(SHOWN) + "\n\n")
    names, rows = [], []
    with open(path.join(gromacs.folder, "energies.xvg"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("@ s") and "legend" in line:
                names.append(line.split('"')[1].replace(" ", "-"))
            elif not line.startswith(("#", "@")):
                time, *values = map(float, line.split())
                rows.append((time, dict(zip(names, values))))
    return rows


def results(gromacs, p, count, done):
    out, folder = os.environ["VE_OUTPUT_DIR"], gromacs.folder
    rows = energies(gromacs)
    lines = ["time_ps,potential_kj_mol,kinetic_kj_mol,total_kj_mol,temperature_k,pressure_bar,density_kg_m3"]
    lines += [",".join("%.7g" % v for v in (time, *(row[name] for name in SHOWN))) for time, row in rows]
    write(path.join(out, "energies.csv"), ("\n".join(lines) + "\n").encode())
    write(path.join(out, "energies.svg"), plot.chart(
        "%d molecules of SPC/E water at %g K" % (count, p["temperature"]), "time in ps", "potential energy, kJ/mol per molecule",
        [("potential", [(time, row["Potential"] / count) for time, row in rows], "line")]))
    late = [row for _, row in rows[len(rows) // 2:]]

    def mean(name, by=1.0):
        values = [row[name] / by for row in late]
        middle = math.fsum(values) / len(values)
        return {"mean": middle, "spread": math.sqrt(math.fsum((v - middle) ** 2 for v in values) / len(values))}

    write(path.join(out, "water.json"), (json.dumps({
        "complete": done, "molecules": count, "simulated_ps": rows[-1][0],
        "potential_kj_mol_per_molecule": mean("Potential", count), "temperature_k": mean("Temperature"),
        "pressure_bar": mean("Pressure"), "density_kg_m3": mean("Density"),
        "means_are_over": "the second half",
    }, indent=2, sort_keys=True) + "\n").encode())
    for name, target in (("run.xtc", "trajectory.xtc"), ("run.log", "gromacs.log"), ("run.gro", "final.gro")):
        if path.exists(path.join(folder, name)):
            shutil.copyfile(path.join(folder, name), path.join(out, target + ".new"))
            os.replace(path.join(out, target + ".new"), path.join(out, target))
    print("potential %.2f kJ/mol per molecule, %.0f kg/m3" % (mean("Potential", count)["mean"], mean("Density")["mean"]), flush=True)


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        p = json.load(file)
    box, folder = path.join(os.environ["VE_INPUT_DIR"], "box.gro"), os.environ["VE_CHECKPOINT_DIR"]
    count = molecules(box)
    gromacs = Gromacs(folder)
    if path.exists(path.join(folder, "run.tpr")):
        print("going on from the checkpoint", flush=True)
    else:
        prepare(gromacs, box, p)
    print("simulating %g ps of %d molecules" % (p["picoseconds"], count), flush=True)
    if not gromacs.warned:
        gromacs.run("mdrun", "-s", "run.tpr", "-deffnm", "run", "-cpi", "run.cpt", "-cpt", "1", *threads(), warnable=True)
    if not path.exists(path.join(folder, "run.cpt")):
        print("time is nearly up: stopped before the first step; run again to go on", flush=True)
        return 75
    done = path.exists(path.join(folder, "run.gro"))
    results(gromacs, p, count, done)
    if not done:
        print("time is nearly up: stopped with a checkpoint; run again to go on", flush=True)
        return 75
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as error:
        print(error, file=sys.stderr)
        sys.exit(65)
    except Broken as error:
        print(error, file=sys.stderr)
        sys.exit(70)
