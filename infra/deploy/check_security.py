"""Runs checkov over the template and holds its findings to checkov_waivers.yaml.

A finding without a waiver fails, and so does a waiver without a finding: the file says exactly what is accepted.
"""

import json
import subprocess
import sys
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

WAIVERS = Path(__file__).with_name("checkov_waivers.yaml")
# Long enough to be a reason.
REASON_CHARS_MIN = 40


def findings(template):
    """Failed checks as `{id: {resource: title}}`."""
    checkov = Path(sys.executable).with_name("checkov")
    options = ["--framework", "cloudformation", "--output", "json", "--quiet", "--compact", "--soft-fail"]
    # Guides and policies of an account are fetched without this; the checks are all in the package.
    done = subprocess.run([checkov, "--file", template, *options, "--skip-download"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"security: checkov ended with {done.returncode}\n{done.stderr}")
    report = json.loads(done.stdout)
    summary = report.get("summary", report)
    # It reports what it could not read as nothing found.
    if summary["parsing_errors"] or not summary["passed"]:
        raise SystemExit(f"security: checkov could not read {template}: {summary}")
    found = defaultdict(dict)
    for failed in report["results"]["failed_checks"]:
        found[failed["check_id"]][failed["resource"]] = failed["check_name"]
    return found


def compare(found, waivers):
    waived = defaultdict(list)
    for waiver in waivers:
        if len(waiver.get("reason", "")) < REASON_CHARS_MIN:
            yield f"the waiver of {waiver['check']} gives no reason"
        waived[waiver["check"]] += waiver["resources"]
    for check, resources in found.items():
        for resource, title in resources.items():
            if not any(fnmatchcase(resource, pattern) for pattern in waived[check]):
                yield f"{check} {resource}: {title}"
    for check, patterns in waived.items():
        for pattern in patterns:
            if not any(fnmatchcase(resource, pattern) for resource in found.get(check, {})):
                yield f"the waiver of {check} for {pattern} is stale: nothing is found there"


def main():
    found = findings(sys.argv[1])
    complaints = list(compare(found, yaml.safe_load(WAIVERS.read_text(encoding="utf-8"))))
    for complaint in complaints:
        print(f"security: {complaint}", file=sys.stderr)
    if not complaints:
        print(f"security: checkov finds nothing beyond {len(found)} checks that are waived with a reason")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
