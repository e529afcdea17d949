"""Writes box.gro: 512 rigid SPC/E water molecules on a cubic lattice, each turned at random (seed 1).

    python3 box.py >box.gro

Distance O-H 0.1 nm, angle H-O-H 109.47 degrees; box of 2.4858 nm, the side at which 512 molecules have 0.997 g/cm3.
"""

import math
import random

SIDE, ACROSS, BOND, ANGLE = 2.4858, 8, 0.1, math.radians(109.47)


def turned(vectors, source):
    """Rotated by a unit quaternion that is uniform over all rotations (Shoemake 1992)."""
    a, b, c = source.random(), 2.0 * math.pi * source.random(), 2.0 * math.pi * source.random()
    x, y, z, w = (math.sqrt(1 - a) * math.sin(b), math.sqrt(1 - a) * math.cos(b), math.sqrt(a) * math.sin(c), math.sqrt(a) * math.cos(c))
    rows = ((1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)))
    return [[sum(r * v for r, v in zip(row, vector)) for row in rows] for vector in vectors]


source = random.Random(1)
hydrogens = [(BOND * math.sin(ANGLE / 2) * s, BOND * math.cos(ANGLE / 2), 0.0) for s in (-1, 1)]
step = SIDE / ACROSS
print("512 SPC/E water molecules on a lattice, made by box.py")
print("%5d" % (3 * ACROSS ** 3))
number = 0
for i in range(ACROSS ** 3):
    oxygen = [(k + 0.5) * step for k in (i % ACROSS, i // ACROSS % ACROSS, i // ACROSS ** 2)]
    atoms = [oxygen] + [[o + h for o, h in zip(oxygen, turn)] for turn in turned(hydrogens, source)]
    for name, place in zip(("OW", "HW1", "HW2"), atoms):
        number += 1
        print("%5d%-5s%5s%5d%8.3f%8.3f%8.3f" % (i + 1, "SOL", name, number, *place))
print("%10.5f%10.5f%10.5f" % (SIDE, SIDE, SIDE))
