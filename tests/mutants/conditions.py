"""Runs the scenarios against the product with one guard of one conditional write taken out.

Arguments: the scenarios' binary, a folder for what is found, the file of survivors that are allowed and why, and parts
of names with blanks between them (or nothing, for all).
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import time

BINARY, FOUND, ALLOWED, ONLY = sys.argv[1:5]
# Scenarios of a mutant are run in portions of so many seconds, the quick ones first: one that notices spares the others.
PORTION = 10
# Walks through every crash take longer and are not asked: a guard deserves a scenario that names it.
SLOW = 25
# Those that start binaries of their own or read only files can't notice a rewritten request.
ELSEWHERE = ("lambda::", "template::", "world::", "openapi::")
# Seconds for a portion, and for all scenarios once.
PATIENCE = 120
PATIENCE_FOR_ALL = 3600


def run(scenarios, environment):
    """True: all of them passed."""
    command = [BINARY, "--exact", *scenarios] if scenarios else [BINARY]
    if not scenarios:
        for part in ELSEWHERE:
            command += ["--skip", part]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            timeout=PATIENCE if scenarios else PATIENCE_FOR_ALL,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return False, "it hung"
    failed = re.findall(r"^    (\S+)$", done.stdout, re.MULTILINE)
    return done.returncode == 0, ", ".join(sorted(set(failed))[:3]) or done.stderr[-300:]


def notices(portion, mutant):
    """What fails with the mutant and passes without it; None: all of them pass. A busy machine fails scenarios, too."""
    for _ in range(3):
        passed, failed = run(portion, {"CONDITION_MUTANT": mutant})
        if passed:
            return None
        if run(portion, {})[0]:
            return failed
    sys.exit(f"{mutant}: these fail without it, too: {failed}")


def record(folder):
    """Runs all scenarios: which conditions they send, and how long each takes."""
    seen, times = folder / "conditions.tsv", folder / "times.tsv"
    for file in (seen, times):
        file.unlink(missing_ok=True)
    passed, failed = run([], {"CONDITIONS_SEEN": str(seen), "TEST_RIGHTS_RECORD": str(times)})
    if not passed:
        sys.exit(f"the scenarios fail before anything is taken out: {failed}")
    return seen, times


def durations(times):
    """Seconds by scenario; the record of rights has them."""
    longest = collections.defaultdict(float)
    for line in times.read_text().splitlines():
        scenario, millis = line.split("\t")[:2]
        longest[scenario] = max(longest[scenario], int(millis) / 1000)
    return longest


def portions(scenarios, seconds):
    """In the given order; a long one goes alone."""
    portion, sum_of = [], 0.0
    for scenario in scenarios:
        if portion and sum_of + seconds[scenario] > PORTION:
            yield portion
            portion, sum_of = [], 0.0
        portion.append(scenario)
        sum_of += seconds[scenario]
    if portion:
        yield portion


def conditions(seen):
    """Every condition that the scenarios send: name -> (scenarios, their mutations' texts)."""
    found = collections.defaultdict(lambda: (set(), []))
    for line in seen.read_text().splitlines():
        scenario, place, condition, *mutations = line.split("\t")
        scenarios, texts = found[f"{place}|{condition}"]
        scenarios.add(scenario)
        texts[:] = mutations
    return found


def allowed(path):
    """Name of each mutant that is meant to survive, and is not run; the file gives a reason above each."""
    lines = pathlib.Path(path).read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def main():
    folder = pathlib.Path(FOUND)
    folder.mkdir(parents=True, exist_ok=True)
    seen, times = record(folder)
    found, seconds = conditions(seen), durations(times)
    may_survive, survivors, tried, used = allowed(ALLOWED), [], 0, collections.Counter()
    # What few scenarios send is quickly tried; what notices much is asked first.
    for name, (scenarios, texts) in sorted(found.items(), key=lambda item: (len(item[1][0]), item[0])):
        for number, text in enumerate(texts):
            mutant = f"{name}|{number}"
            if ONLY and not any(part in mutant for part in ONLY.split()):
                continue
            if mutant in may_survive:
                print(f"allowed   {mutant}", flush=True)
                continue
            tried += 1
            begun, noticed = time.monotonic(), None
            quick = [scenario for scenario in scenarios if seconds[scenario] <= SLOW] or scenarios
            order = sorted(quick, key=lambda scenario: (-used[scenario], seconds[scenario], scenario))
            for portion in portions(order, seconds):
                noticed = notices(portion, mutant)
                if noticed:
                    used.update(noticed.split(", "))
                    break
            took = time.monotonic() - begun
            if noticed:
                print(f"noticed   {mutant}  ({took:.0f} s: {noticed})", flush=True)
            else:
                survivors.append(mutant)
                print(f"SURVIVED  {mutant}  ({took:.0f} s, {len(order)} scenarios)\n          {text}", flush=True)
    print(f"{tried} mutants, {len(survivors)} survived without a reason")
    sys.exit(1 if survivors or not tried else 0)


main()
