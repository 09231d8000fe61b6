#!/usr/bin/env python3
"""Fits `execution` of scenarios/frameworks/*.yaml to published training steps.

    python3 sim/training/fit_frameworks.py training.csv --program build/release/cli/foreshard [PROFILE ...]

The table has the columns of `foreshard validate training`. Each profile is fitted alone, to the rows that
its `published_rows` name and that have a time and no low trust. The parameters are those of PARAMETERS
that the profile's `execution` holds; all others stay. The mean of |log(forecast / measured)| is minimised,
parameter after parameter, on a grid of steps that get smaller. Every forecast is the program's, run on a
copy of the folder with the profile changed.

The file is rewritten in place, with two digits. On stdout: errors before and after, and of fits to half
of the groups of rows on the other half (one random halving, both ways), which is what new rows can
expect.
"""

import argparse
import csv
import json
import math
import os
import random
import re
import shutil
import subprocess
import tempfile

# Lowest, highest, unit. Steps are factors, but where the lowest is 0: there they are differences.
PARAMETERS = {
    "operator_dispatch": (5.0, 400.0, " us"),
    "exchange_dispatch": (0.0, 3000.0, " us"),
    "step_dispatch": (0.0, 2000.0, " ms"),
    "tensor_step": (5.0, 100.0, " us"),
    "allocator_retry": (5.0, 500.0, " ms"),
    "elementwise_traffic": (1.0, 4.0, ""),
}
FACTORS = (1.6, 1.25, 1.1)
DIFFERENCES = (600.0, 200.0, 60.0)


def parameter(name):
    return re.compile(rf"({name}: )([0-9.]+)( [um]s)?")


def read_parameters(text):
    found = {name: parameter(name).search(text) for name in PARAMETERS}
    return {name: float(match[2]) for name, match in found.items() if match}


def written(text, values):
    for name, value in values.items():
        text = parameter(name).sub(lambda m, v=value, n=name: f"{m[1]}{v:g}{PARAMETERS[n][2]}", text)
    return text


def named_rows(text):
    """(begin of the framework, part of the source) of a profile."""
    return [(m[1].strip(), (m[2] or "").strip())
            for m in re.finditer(r"- \{framework: ([^,}]+)(?:, source: ([^}]+))?\}", text)]


def profile_of(row, profiles):
    """As sim::training::Frameworks::of: the one that says most of a row."""
    said = [((len(begin), len(source)), name) for name, text in profiles.items()
            for begin, source in named_rows(text)
            if row["framework"].startswith(begin) and source in row["source"]]
    return max(said)[1] if said else None


class Program:
    def __init__(self, path, scenarios, folder):
        self.path = path
        self.folder = folder
        self.frameworks = os.path.join(folder, "frameworks")
        os.symlink(os.path.abspath(os.path.join(scenarios, "hardware")), os.path.join(folder, "hardware"))
        shutil.copytree(os.path.join(scenarios, "frameworks"), self.frameworks)

    def forecasts(self, profile, text, rows):
        """Seconds by row id, with the profile as in `text`."""
        with open(os.path.join(self.frameworks, profile + ".yaml"), "w") as file:
            file.write(text)
        table, answer = (os.path.join(self.folder, name) for name in ("t.csv", "t.json"))
        with open(table, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        subprocess.run(
            [self.path, "validate", "training", "--table", table, "--json", answer],
            env={**os.environ, "FORESHARD_HARDWARE": os.path.join(self.folder, "hardware")},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with open(answer) as file:
            return {row["id"]: row["predicted"] for row in json.load(file)["results"]}


class Fit:
    def __init__(self, program, profile, text, rows):
        self.program = program
        self.profile = profile
        self.text = text
        self.rows = rows
        self.known = {}  # forecasts of all rows by values

    def errors(self, values, rows):
        key = tuple(sorted(values.items()))
        if key not in self.known:
            self.known[key] = self.program.forecasts(self.profile, written(self.text, values), self.rows)
        said = self.known[key]
        return [math.log(said[row["id"]] / float(row["step_time_s"])) for row in rows]

    def loss(self, values, rows):
        errors = self.errors(values, rows)
        return sum(map(abs, errors)) / len(errors)

    def minimise(self, rows):
        values = read_parameters(self.text)
        best = self.loss(values, rows)
        for factor, difference in zip(FACTORS, DIFFERENCES):
            moved = True
            while moved:
                moved = False
                for name in values:
                    low, high, _ = PARAMETERS[name]
                    for up in (True, False):
                        step = ((lambda v: v + (difference if up else -difference)) if low == 0
                                else (lambda v: v * factor if up else v / factor))
                        value = float(f"{min(max(step(values[name]), low), high):.2g}")
                        tried = {**values, name: value}
                        loss = self.loss(tried, rows)
                        if loss < best - 1e-5:
                            values, best, moved = tried, loss, True
        return values


def percent(errors):
    relative = [math.expm1(e) for e in errors]
    return (f"{100 * sum(map(abs, relative)) / len(relative):5.1f} % "
            f"({100 * sum(relative) / len(relative):+5.1f})")


def held_out(fit):
    """Errors on rows whose group was not fitted."""
    group = lambda row: row["group"] or row["id"]
    order = sorted(set(map(group, fit.rows)))
    random.Random(0).shuffle(order)
    half = set(order[:len(order) // 2])
    halves = ([row for row in fit.rows if group(row) in half],
              [row for row in fit.rows if group(row) not in half])
    errors = []
    for learn, rest in (halves, halves[::-1]):
        if learn and rest:
            errors += fit.errors(fit.minimise(learn), rest)
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("table")
    parser.add_argument("profiles", nargs="*")
    parser.add_argument("--program", required=True)
    parser.add_argument("--scenarios", default="scenarios")
    arguments = parser.parse_intermixed_args()
    with open(arguments.table, newline="") as file:
        rows = [row for row in csv.DictReader(file)
                if row["trust"] != "low" and row["outcome"] == "ok" and row["step_time_s"]]
    folder = os.path.join(arguments.scenarios, "frameworks")
    profiles = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            profiles[name.removesuffix(".yaml")] = file.read()
    print(f"{'profile':20} rows   before            after             held out")
    for profile in arguments.profiles or profiles:
        own = [row for row in rows if profile_of(row, profiles) == profile]
        text = profiles[profile]
        if not own or not read_parameters(text):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            program = Program(arguments.program, arguments.scenarios, scratch)
            expressed = program.forecasts(profile, text, own)
            fit = Fit(program, profile, text, [row for row in own if row["id"] in expressed])
            values = fit.minimise(fit.rows)
            print(f"{profile:20} {len(fit.rows):4}   "
                  f"{percent(fit.errors(read_parameters(text), fit.rows))}   "
                  f"{percent(fit.errors(values, fit.rows))}   {percent(held_out(fit))}   {values}",
                  flush=True)
        with open(os.path.join(folder, profile + ".yaml"), "w") as file:
            file.write(written(text, values))


if __name__ == "__main__":
    main()
