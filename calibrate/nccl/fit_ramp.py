#!/usr/bin/env python3
"""Fits scenarios/hardware/collectives.yaml to published nccl-tests sweeps.

    python3 calibrate/nccl/fit_ramp.py collectives.csv --program build/release/cli/foreshard \
        > scenarios/hardware/collectives.yaml

The table has the columns of `foreshard validate collectives`, and `sweep`, `library` and `trust`.
What NCCL's tuning model predicts for each row comes from the program, run on a copy of its hardware
folder without fits. The formula is that of calibrate/nccl/measured_ramp.hpp:

    time = start * least + wire / share + fill * least * wire / (wire + fill_half * least)

where `least` is the model's time of one byte and `wire` what it adds for the rest. The parameters
minimise the mean of |log(time / measured)|, in which the rows of one decade of sizes of one sweep
weigh as the square root of their number. On stderr: the errors of the model, of the fit, and of fits
to half of the sweeps on the other half (three random halvings, both ways), below 1 MiB, from there
to 16 MiB, and above.
"""

import argparse
import collections
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile

MIB = 2**20
DECADES = ((0, MIB), (MIB, 16 * MIB), (16 * MIB, math.inf))
NIC_KINDS = ("gpudirect-tcpxo", "gpudirect-tcpx", "slingshot", "efa")
TABLE = ("all_reduce", "all_gather", "reduce_scatter")

# What is fitted together: (architecture or kind of NIC, operations).
REGIMES = (
    ("volta", TABLE),
    ("ampere", TABLE),
    ("ampere", ("all_to_all",)),
    ("hopper", TABLE),
    ("hopper", ("all_to_all",)),
    ("efa", TABLE),
    ("slingshot", ("all_reduce",)),
    ("slingshot", ("all_gather",)),
    ("slingshot", ("all_to_all",)),
    ("gpudirect-tcpxo", ("all_reduce", "all_gather")),
    ("gpudirect-tcpx", ("all_gather",)),
)

# Of each node that all-gathers and reduce-scatters go to round a ring, beyond the model. Sweeps over EFA
# are of all-reduces, which are trees where they are small; this is what nanotron's reductions with ZeRO-1
# on 16 to 64 nodes take more, whether 1, 2, 4 or 8 ranks of a node are in the ring (Hugging Face
# Ultra-Scale Playbook benchmark).
HOPS = {"efa": "45 us"}

# start, share, fill, fill_half. Volta alone may be faster than the model, whose 20 GB/s for an
# NVLink are 22.5 on a DGX-1; elsewhere the model's rates are bounds.
LOWEST = (1.0, 0.3, 0.0, 0.05)
HIGHEST = (20.0, 1.0, 40.0, 20.0)
VOLTA_SHARE = 1.125


def predictions(program, hardware, rows):
    """Seconds that the model without fits says, by row id."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("gpus", "nodes", "kernels"):
            os.symlink(os.path.join(os.path.abspath(hardware), part), os.path.join(folder, part))
        table, answer = os.path.join(folder, "t.csv"), os.path.join(folder, "t.json")
        with open(table, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        subprocess.run(
            [program, "validate", "collectives", "--table", table, "--json", answer],
            env={**os.environ, "FORESHARD_HARDWARE": folder},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with open(answer) as file:
            return {row["id"]: row["predicted"] for row in json.load(file)["results"]}


def architectures(hardware):
    """Architecture by GPU name, from the registry's files."""
    out = {}
    folder = os.path.join(hardware, "gpus")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            keys = dict(line.split(":", 1) for line in file if line[0].isalpha() and ":" in line)
        out[keys["name"].strip()] = keys["architecture"].strip()
    return out


def points(arguments):
    """Rows that can be fitted, with what the model says of them."""
    with open(arguments.table, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["trust"] != "low"]
    rows = [row for row in rows if row["library"] == "NCCL"]
    setting = lambda r: tuple(r[k] for k in ("collective", "gpu", "n_gpus", "n_nodes",
                                             "nic_gbps_per_node", "fabric"))
    smallest = {}
    for row in rows:
        smallest.setdefault(setting(row), {**row, "id": f"one byte {len(smallest)}",
                                           "size_bytes": "1"})
    said = predictions(arguments.program, arguments.hardware, rows + list(smallest.values()))
    architecture = architectures(arguments.hardware)
    out = []
    for row in rows:
        if row["id"] not in said:
            continue
        fabric = row["fabric"].lower()
        place = (architecture[row["gpu"]] if row["n_nodes"] == "1" else
                 next((kind for kind in NIC_KINDS if kind in fabric), "verbs"))
        least = said[smallest[setting(row)]["id"]]
        out.append({
            "place": place,
            "op": row["collective"],
            "sweep": row["sweep"],
            "source": row["source"].removeprefix("github:").split(":")[0].split(" (")[0],
            "nodes": int(row["n_nodes"]),
            "bytes": float(row["size_bytes"]),
            "measured": float(row["time_us"]) * 1e-6,
            "model": said[row["id"]],
            "least": least,
            "wire": max(said[row["id"]] - least, 0),
        })
    return out


def time_of(parameters, p):
    start, share, fill, half = parameters
    least, wire = p["least"], p["wire"]
    return start * least + wire / share + fill * least * wire / (wire + half * least)


def free(value, low, high):
    """A number without limits as one between them."""
    return low + (high - low) / (1 + math.exp(-max(min(value, 50), -50)))


def minimum(function, start, steps):
    """Nelder and Mead's simplex."""
    n = len(start)
    simplex = [list(start)] + [[x + (i == j) for j, x in enumerate(start)] for i in range(n)]
    simplex = [(function(x), x) for x in simplex]
    for _ in range(steps):
        simplex.sort()
        centre = [sum(x[j] for _, x in simplex[:-1]) / n for j in range(n)]
        worst = simplex[-1]
        at = lambda a: [c + a * (w - c) for c, w in zip(centre, worst[1])]
        value = lambda x: (function(x), x)
        reflected = value(at(-1))
        if reflected < simplex[0]:
            simplex[-1] = min(reflected, value(at(-2)))
        elif reflected < simplex[-2]:
            simplex[-1] = reflected
        else:
            inner = value(at(0.5))
            if inner < worst:
                simplex[-1] = inner
            else:
                best = simplex[0][1]
                simplex = [simplex[0]] + [value([(a + b) / 2 for a, b in zip(x, best)])
                                          for _, x in simplex[1:]]
    return min(simplex)


def fit(place, data):
    highest = list(HIGHEST)
    if place == "volta":
        highest[1] = VOLTA_SHARE
    cell = lambda p: (p["sweep"], int(math.log10(p["bytes"])))
    count = collections.Counter(map(cell, data))
    weights = [count[cell(p)] ** -0.5 for p in data]
    logs = [math.log(p["measured"]) for p in data]
    unpack = lambda x: [free(v, lo, hi) for v, lo, hi in zip(x, LOWEST, highest)]

    def loss(x):
        parameters = unpack(x)
        return sum(w * abs(math.log(time_of(parameters, p)) - measured)
                   for w, p, measured in zip(weights, data, logs))

    best = None
    for guess in ((-2, 2, -2, -1), (-1, 2, -1, 1)):
        _, x = minimum(loss, guess, 150)
        answer = minimum(loss, x, 150)
        best = answer if best is None else min(best, answer)
    # As many digits as the file has, so that what is reported is what is read.
    return [0.0 if v < 1e-3 else float(f"{v:.3g}") for v in unpack(best[1])]


def errors(predict, data):
    return [(p["bytes"], predict(p) / p["measured"] - 1) for p in data]


def told(name, pairs):
    cells = []
    for low, high in DECADES:
        e = [x for size, x in pairs if low <= size < high]
        if e:
            absolute = sorted(map(abs, e))
            cells.append(f"{len(e):5d}: {100 * absolute[len(e) // 2]:3.0f} % "
                         f"{100 * sum(e) / len(e):+4.0f} %")
        else:
            cells.append(" " * 19)
    print(f"    {name:9}", " | ".join(cells), file=sys.stderr)


def held_out(place, data):
    sweeps = sorted({p["sweep"] for p in data})
    pairs = []
    for seed in range(3):
        order = sweeps[:]
        random.Random(seed).shuffle(order)
        half = set(order[:len(order) // 2])
        for inside in (True, False):
            learn = [p for p in data if (p["sweep"] in half) == inside]
            parameters = fit(place, learn)
            pairs += errors(lambda p: time_of(parameters, p),
                            [p for p in data if (p["sweep"] in half) != inside])
    return pairs


def spread(pairs):
    """Two thirds of the points are nearer; no more than everything."""
    nearness = sorted(abs(math.log1p(e)) for _, e in pairs)
    return min(nearness[len(nearness) * 68 // 100], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("table")
    parser.add_argument("--program", required=True)
    parser.add_argument("--hardware", default="scenarios/hardware")
    arguments = parser.parse_args()
    data = points(arguments)
    print("# How much longer NCCL's collectives take than its tuning model says. Written by\n"
          "# calibrate/nccl/fit_ramp.py; the formula is in calibrate/nccl/measured_ramp.hpp.\nramps:")
    total = {"model": [], "fit": [], "held out": []}
    for place, operations in REGIMES:
        chosen = [p for p in data if p["place"] == place and p["op"] in operations]
        if len({p["sweep"] for p in chosen}) < 2:
            print(f"{place} {operations}: fewer than two sweeps", file=sys.stderr)
            continue
        parameters = fit(place, chosen)
        results = {"model": errors(lambda p: p["model"], chosen),
                   "fit": errors(lambda p, q=parameters: time_of(q, p), chosen),
                   "held out": held_out(place, chosen)}
        print(f"{place} {' '.join(operations)}: {parameters}", file=sys.stderr)
        for name, pairs in results.items():
            told(name, pairs)
            total[name] += pairs
        sweeps = {p["sweep"] for p in chosen}
        by_source = collections.Counter(p["source"] for p in chosen)
        nodes = sorted({p["nodes"] for p in chosen})
        key = "nic_kind" if place in NIC_KINDS else "architecture"
        small = [e for p, e in zip(chosen, results["fit"])
                 if parameters[0] * p["least"] > time_of(parameters, p) / 2]
        large = [e for p, e in zip(chosen, results["fit"])
                 if parameters[0] * p["least"] <= time_of(parameters, p) / 2]
        print(f"  - {key}: {place}\n"
              f"    operations: [{', '.join(operations)}]\n"
              f"    source: \"{', '.join(name for name, _ in by_source.most_common())}: "
              f"{len(sweeps)} sweeps on {', '.join(map(str, nodes))} node(s)\"\n"
              f"    points: {len(chosen)}\n"
              f"    nodes: {nodes[-1]}")
        for name, value in zip(("start", "share", "fill", "fill_half"), parameters):
            print(f"    {name}: {value:g}")
        if place in HOPS:
            print(f"    hop: {HOPS[place]}")
        print(f"    start_spread: {spread(small or large):.2f}\n"
              f"    wire_spread: {spread(large):.2f}")
        sys.stdout.flush()
    print("all", file=sys.stderr)
    for name, pairs in total.items():
        told(name, pairs)


if __name__ == "__main__":
    main()
