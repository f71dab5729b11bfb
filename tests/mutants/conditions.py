"""Runs the scenarios against the product with one guard of one conditional write taken out.

Arguments: the scenarios' binary, a folder for what is found, the file of survivors that are allowed and why, and a
part of a name (or nothing, for all).
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import time

BINARY, FOUND, ALLOWED, ONLY = sys.argv[1:5]
# Scenarios of a mutant are run in portions, so that one that notices early spares the others.
PORTION = 16
# Those that start binaries of their own or read only files can't notice a rewritten request.
ELSEWHERE = ("lambda::", "template::", "world::", "openapi::")
PATIENCE = 600


def run(scenarios, environment):
    """True: all of them passed."""
    command = [BINARY, "--exact", *scenarios] if scenarios else [BINARY]
    if not scenarios:
        for part in ELSEWHERE:
            command += ["--skip", part]
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, timeout=PATIENCE, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return False, "it hung"
    failed = re.findall(r"^    (\S+)$", done.stdout, re.MULTILINE)
    return done.returncode == 0, ", ".join(sorted(set(failed))[:3]) or done.stderr[-300:]


def conditions(folder):
    """Every condition that the scenarios send: name -> (scenarios, number of mutations, their texts)."""
    seen = folder / "conditions.tsv"
    seen.unlink(missing_ok=True)
    passed, failed = run([], {"CONDITIONS_SEEN": str(seen)})
    if not passed:
        sys.exit(f"the scenarios fail before anything is taken out: {failed}")
    found = collections.defaultdict(lambda: (set(), []))
    for line in seen.read_text().splitlines():
        scenario, place, condition, *mutations = line.split("\t")
        scenarios, texts = found[f"{place}|{condition}"]
        scenarios.add(scenario)
        texts[:] = mutations
    return found


def allowed(path):
    """Name of each survivor that is meant to survive; the file gives a reason above each."""
    lines = pathlib.Path(path).read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def main():
    folder = pathlib.Path(FOUND)
    folder.mkdir(parents=True, exist_ok=True)
    found = conditions(folder)
    may_survive, survivors, tried, used = allowed(ALLOWED), [], 0, collections.Counter()
    for name, (scenarios, texts) in sorted(found.items()):
        # What notices much is asked first.
        for number, text in enumerate(texts):
            mutant = f"{name}|{number}"
            if ONLY not in mutant:
                continue
            tried += 1
            begun, noticed = time.monotonic(), None
            order = sorted(scenarios, key=lambda scenario: (-used[scenario], scenario))
            for first in range(0, len(order), PORTION):
                passed, failed = run(order[first : first + PORTION], {"CONDITION_MUTANT": mutant})
                if not passed:
                    noticed = failed
                    used.update(failed.split(", "))
                    break
            seconds = time.monotonic() - begun
            if noticed:
                print(f"noticed   {mutant}  ({seconds:.0f} s: {noticed})", flush=True)
            else:
                word = "allowed" if mutant in may_survive else "SURVIVED"
                if word == "SURVIVED":
                    survivors.append(mutant)
                print(f"{word:9} {mutant}  ({seconds:.0f} s, {len(order)} scenarios)\n          {text}", flush=True)
    print(f"{tried} mutants, {len(survivors)} survived without a reason")
    sys.exit(1 if survivors or not tried else 0)


main()
