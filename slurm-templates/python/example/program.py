"""How many directions does a cloud of points really have? The variance along each of its principal axes."""

import json
import os
import sys

import numpy

count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
random = numpy.random.default_rng(1)
hidden = random.normal(size=(count, 3)) * [5.0, 3.0, 1.0]
points = hidden @ random.normal(size=(3, 10)) + 0.01 * random.normal(size=(count, 10))
values = numpy.linalg.svd(points - points.mean(0), compute_uv=False) ** 2
shares = values / values.sum()
with open(os.path.join(os.environ["VE_OUTPUT_DIR"], "axes.json"), "w", encoding="utf-8") as out:
    json.dump({"points": count, "numpy": numpy.__version__, "shares": shares.tolist()}, out, indent=2)
print("directions that matter:", int((shares > 1e-3).sum()))
