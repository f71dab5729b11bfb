"""Every right of template.yaml is needed by a scenario: without it, that scenario fails.

The scenarios run once and write down which rights they used (tests/it/world/guard.rs). Then each action, and each
resource of a statement that names several, is taken out of a copy of the template, and the quickest scenario that
used what is missing runs against that copy. It must fail, and by that right. A right that no scenario used, or whose
scenario does not mind, is reported: it leaves the template, or gets a scenario.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "rights"
# Real binaries and the template's own checks are no scenarios of this kind.
SKIPPED = ["lambda::", "template::"]
# Seconds. A scenario that waits for what never comes is no proof; another is asked.
PATIENCE = 30


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    WORK.mkdir(parents=True, exist_ok=True)
    binary = os.environ.get("IT_BINARY") or built()
    lines = (ROOT / "template.yaml").read_text().splitlines()
    mutants = [mutant for mutant in mutants_of(lines) if only in mutant["function"]]
    record = os.environ.get("RIGHTS_RECORD")
    users = users_of(Path(record) if record else recorded(binary))
    print(f"{len(mutants)} rights to take out; {len(users)} were used by scenarios")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda numbered: verdict(binary, lines, users, *numbered), enumerate(mutants)))
    unshown = [told for told in verdicts if told]
    for told in unshown:
        print(f"NOT SHOWN  {told}")
    print(f"{len(mutants) - len(unshown)} of {len(mutants)} rights: a scenario fails without it")
    sys.exit(1 if unshown or not mutants else 0)


def built():
    command = ["cargo", "test", "--locked", "-p", "citipen-tests", "--test", "it", "--no-run"]
    told = subprocess.run([*command, "--message-format=json"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    found = [m["executable"] for m in messages if m.get("target", {}).get("name") == "it" and m.get("executable")]
    return found[0]


def recorded(binary):
    """Runs the scenarios; the file in which they wrote down what they used."""
    record = WORK / "used.tsv"
    record.unlink(missing_ok=True)
    skipped = [part for name in SKIPPED for part in ("--skip", name)]
    with open(WORK / "scenarios.log", "w") as log:
        run = subprocess.run(
            [binary, *skipped], env={**os.environ, "TEST_RIGHTS_RECORD": str(record)}, stdout=log, stderr=log
        )
    if run.returncode:
        sys.exit(f"the scenarios fail with the template as it is: {WORK / 'scenarios.log'}")
    return record


def users_of(record):
    """The scenarios that used each right, quickest first."""
    users = defaultdict(dict)
    for line in record.read_text().splitlines():
        scenario, millis, function, place, action = line.split("\t")
        times = users[(function, place, action)]
        times[scenario] = max(times.get(scenario, 0), int(millis))
    return {right: sorted(times, key=times.get) for right, times in users.items()}


def verdict(binary, lines, users, number, mutant):
    """None, or what is not shown about this mutant."""
    name = f"{mutant['function']}: {mutant['what']}"
    candidates = [scenario for right in mutant["rights"] for scenario in users.get(right, [])[:6]]
    if not candidates:
        return f"{name}: no scenario uses it"
    changed = WORK / f"template-{number}.yaml"
    changed.write_text("\n".join(mutant["edit"](lines)) + "\n")
    try:
        # Some use a right in the background, where a loaded machine may not come to it: a few are asked.
        if any(fails_by(binary, changed, scenario, mutant["rights"]) for scenario in dict.fromkeys(candidates)):
            return None
    finally:
        changed.unlink()
    return f"{name}: {', '.join(dict.fromkeys(candidates))} passed without it"


def fails_by(binary, template, scenario, rights):
    command = [binary, "--exact", scenario]
    environment = {**os.environ, "TEST_TEMPLATE": str(template)}
    environment.pop("TEST_RIGHTS_RECORD", None)
    try:
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    told = run.stdout + run.stderr
    if "running 1 test" not in told:
        sys.exit(f"{scenario} is no test of {binary}")
    names_it = any(action in told and place in told for _, place, action in rights)
    return run.returncode != 0 and names_it


# ---- the template's text


def mutants_of(lines):
    """One for each action of each statement, and for each resource where there are several."""
    function, found = None, []
    for at, line in enumerate(lines):
        if top := re.fullmatch(r"  (\w+):", line):
            function = None
            if lines[at + 1].strip() == "Type: AWS::Serverless::Function":
                function = top[1]
        elif function and re.match(r"\s+- Sid: ", line):
            found += of_statement(function, lines, at)
    return found


def of_statement(function, lines, start):
    end = start + 1
    indent = len(lines[start]) - len(lines[start].lstrip())
    while len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    body = {line.strip().split(":")[0]: at for at, line in enumerate(lines[start:end], start)}
    action_at, resource_at = body["Action"], body["Resource"]
    actions = re.search(r"\[(.+)\]", lines[action_at])[1].split(", ")
    via = next((re.search(r"!Sub (\w+)\.", line)[1] for line in lines[start:end] if "kms:ViaService" in line), None)
    one = lines[resource_at].split("Resource:")[1].strip()
    places = {resource_at: place_of(one, via)} if one else {}
    if not one:
        for at in range(resource_at + 1, end):
            if not lines[at].strip().startswith("- "):
                break
            places[at] = place_of(lines[at].strip()[2:], via)
    sid = lines[start].split("Sid:")[1].strip()

    def without_action(action):
        left = ", ".join(other for other in actions if other != action)
        return lambda lines: [*lines[:action_at], re.sub(r"\[.+\]", f"[{left}]", lines[action_at]), *lines[action_at + 1 :]]

    found = [
        {
            "function": function,
            "what": f"{action} of {sid}",
            "rights": [(function, place, action) for place in places.values()],
            "edit": without_action(action),
        }
        for action in actions
    ]
    if len(places) > 1:
        found += [
            {
                "function": function,
                "what": f"{place} of {sid}",
                "rights": [(function, place, action) for action in actions],
                "edit": lambda lines, at=at: [*lines[:at], *lines[at + 1 :]],
            }
            for at, place in places.items()
        ]
    return found


def place_of(resource, via):
    """What the scenarios call it (infra/emulator/src/iam/policies.rs)."""
    if resource == "!GetAtt DataKey.Arn":
        return f"key via {via}"
    if resource == "!GetAtt DriveKey.Arn":
        return "key of drive-token"
    if secret := re.search(r"parameter\$\{SecretsPath\}(\w+)$", resource):
        return f"secret {secret[1]}"
    if resource == "!GetAtt MediaBucket.Arn":
        return "uploads list"
    if resource.startswith("!Sub ${MediaBucket.Arn}/"):
        return "uploads" if resource.endswith("/up30/*") else "outputs"
    table = re.fullmatch(r"!GetAtt (\w+)Table\.Arn|!Sub \$\{(\w+)Table\.Arn\}(/index/[\w-]+)", resource)
    name = re.sub(r"(?<!^)([A-Z])", r"_\1", table[1] or table[2]).lower()
    return name + (table[3] or "")


if __name__ == "__main__":
    main()
