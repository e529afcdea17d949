"""What accelerators a job was given. Exit status: 0 as many as were bought, 70 fewer."""

import glob
import json
import os
import shutil
import subprocess
import sys

from os import path

# How programs learn which devices are theirs, by runtime; the first that is set is believed.
CHOICES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL")
SCHEDULER = ("SLURM_JOB_GPUS", "SLURM_GPUS_ON_NODE", "SLURM_GPUS", "SLURM_STEP_GPUS", "SLURM_JOB_GRES", "SLURMD_NODENAME")
DEVICES = ("/dev/nvidia[0-9]*", "/dev/dri/renderD*", "/dev/kfd")
TOOLS = (("nvidia-smi", "-L"), ("rocm-smi", "--showproductname"), ("xpu-smi", "discovery"))


def write(target, data):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def ask(command):
    """What a vendor's tool prints, or why it does not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return (done.stdout or done.stderr).strip().splitlines()[:100]
    except (OSError, subprocess.TimeoutExpired) as error:
        return ["%s: %s" % (command[0], error)]


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    bought = int(os.environ["VE_GPUS"])
    chosen = {name: os.environ[name] for name in CHOICES if name in os.environ}
    indices = [i for i in next(iter(chosen.values()), "").split(",") if i not in ("", "-1", "NoDevFiles")]
    # A cluster may only count accelerators (no File in gres.conf): then nothing says which, and programs see all of them.
    given = len(indices) if chosen else int(os.environ.get("SLURM_GPUS_ON_NODE", "0"))
    report = {
        "bought": bought,
        "given": given,
        "counted_only": not chosen,
        "devices": indices,
        "variables": chosen,
        "scheduler": {name: os.environ[name] for name in SCHEDULER if name in os.environ},
        "device_files": sorted(f for pattern in DEVICES for f in glob.glob(pattern)),
        "tools": {t[0]: ask(t) for t in TOOLS if parameters["details"] and shutil.which(t[0])},
    }
    write(path.join(os.environ["VE_OUTPUT_DIR"], "gpu.json"), (json.dumps(report, indent=2, sort_keys=True) + "\n").encode())
    which = ", ".join(indices) if chosen else "counted, but not told which"
    print("bought %d, given %d: %s" % (bought, given, which or "none"), flush=True)
    if given < bought:
        print("fewer accelerators than bought: tell the provider (gres.conf and the partition's nodes)", file=sys.stderr)
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(main())
