"""Counts primes and twin primes below a limit with a segmented sieve that can be stopped and resumed.

State: the next number to look at, and what was found below it. It is written to VE_CHECKPOINT_DIR in one move, so a
kill at any instant leaves either the old state or the new one. Exit status: 0 done, 65 the given state is wrong,
75 stopped at a checkpoint (run again to go on).
"""

import json
import math
import os
import signal
import sys
import time

from os import path

SEGMENT = 1 << 20


def write(target, content):
    """Writes a file whole or not at all."""
    aside = target + ".new"
    with open(aside, "w", encoding="utf-8") as out:
        out.write(json.dumps(content, sort_keys=True) + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def small_primes(limit):
    sieve = bytearray([1]) * (limit + 1)
    sieve[:2] = b"\0\0"
    for n in range(2, math.isqrt(limit) + 1):
        if sieve[n]:
            sieve[n * n::n] = bytes(len(range(n * n, limit + 1, n)))
    return [n for n in range(2, limit + 1) if sieve[n]]


def segment(low, high, primes):
    """Odd primes in [low, high) as marks: index i stands for low + 2 i. `low` is odd."""
    count = (high - low + 1) // 2
    marks = bytearray([1]) * count
    for p in primes:
        if p * p >= high:
            break
        first = max(p * p, (low + p - 1) // p * p)
        if first % 2 == 0:
            first += p
        begin = (first - low) // 2
        if begin < count:
            marks[begin::p] = bytes(len(range(begin, count, p)))
    return marks


def load(where, mark):
    """A state, or None if there is none or it is of another limit."""
    try:
        with open(where, encoding="utf-8") as file:
            state = json.load(file)
        if state["limit"] != mark:
            print("%s is for the limit %s; beginning anew" % (where, state["limit"]), flush=True)
            return None
        return {k: int(state[k]) for k in ("limit", "next", "primes", "twins", "greatest", "gap")}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        print("%s cannot be read (%s): leave it away or give the one from a result" % (where, error), file=sys.stderr)
        sys.exit(65)


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    limit, interval = parameters["limit"], parameters["checkpoint_s"]
    kept = path.join(os.environ["VE_CHECKPOINT_DIR"], "state.json")
    given = path.join(os.environ["VE_INPUT_DIR"], "state.json")
    out = os.environ["VE_OUTPUT_DIR"]

    warned = []
    signal.signal(signal.SIGUSR1, lambda *_: warned.append(True))

    state = load(kept, limit) or load(given, limit)
    if state:
        print("going on at %d" % state["next"], flush=True)
    else:
        # 2 is counted here; the segments hold odd numbers only.
        state = {"limit": limit, "next": 3, "primes": 1, "twins": 0, "greatest": 2, "gap": 0}
    primes = small_primes(math.isqrt(limit) + 1)[1:]

    saved = said = time.monotonic()
    while state["next"] < limit:
        low = state["next"]
        high = min(limit, low + 2 * SEGMENT)
        marks = segment(low, high, primes)
        last, twins, gap = state["greatest"], 0, state["gap"]
        at = marks.find(1)
        while at >= 0:
            n = low + 2 * at
            step = n - last
            if step == 2:
                twins += 1
            if step > gap:
                gap = step
            last = n
            at = marks.find(1, at + 1)
        state = {"limit": limit, "next": high + 1 - high % 2, "primes": state["primes"] + marks.count(1),
                 "twins": state["twins"] + twins, "greatest": last, "gap": gap}
        now = time.monotonic()
        if warned and state["next"] < limit:
            write(kept, state)
            write(path.join(out, "state.json"), state)
            print("time is nearly up: stopped at %d with a checkpoint; run again to go on" % state["next"], flush=True)
            return 75
        if now - saved >= interval:
            write(kept, state)
            saved = now
        if now - said >= 0.5:
            print("%3d %%  %d primes below %d" % (100 * high // limit, state["primes"], high), flush=True)
            said = now

    write(path.join(out, "primes.json"), {
        "limit": limit, "primes": state["primes"], "twin_pairs": state["twins"],
        "greatest_prime": state["greatest"], "greatest_gap": state["gap"],
    })
    for stale in (path.join(out, "state.json"), kept):
        try:
            os.remove(stale)
        except FileNotFoundError:
            pass
    print("done: %d primes below %d" % (state["primes"], limit), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
