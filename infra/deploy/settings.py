"""The settings file of a deployment, read and checked against template.yaml.

    settings.py check TEMPLATE FILE PROFILE STACK   prints the settings, or every complaint at once
    settings.py parameters SETTINGS NAME=VALUE…     prints what CloudFormation wants, with these in addition
    settings.py back IN-FORCE KNOWN THEN            the same for an earlier template: what is in force, as far as it
                                                    knows it; three files, the last of what it was deployed with

Both the file and what is printed are lines `Name=value`; a value is everything behind the sign. Names in lower case
are ours (`account`, `region`; `profile` and `stack` are added), the others are parameters of the template.
"""

import json
import re
import sys

OURS = ("account", "region")
# What a script gives by itself.
GIVEN = ("Profile", "TablePrefix", "SecretsPath")


class Complaints(Exception):
    pass


def read_lines(path):
    """Name and value of each line, in order; comments and empty lines are left out."""
    pairs, complaints = [], []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, sign, value = line.partition("=")
            if not sign or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                complaints.append(f"line {number} is not NAME=value")
                continue
            pairs.append((name, value.strip()))
    names = [name for name, _ in pairs]
    complaints += [f"{name} stands there twice" for name in sorted(set(names)) if names.count(name) > 1]
    if complaints:
        raise Complaints(complaints)
    return dict(pairs)


def read_template_parameters(path):
    """The `Parameters` of the template: for each its plain attributes. Plain Python, because this must run before
    anything is installed; a form it does not know is an error, and tests/deploy compares it with a YAML parser."""
    parameters, current, inside = {}, None, False
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip()
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            indent = len(line) - len(line.lstrip())
            if indent == 0:
                inside = line == "Parameters:"
            elif inside and indent == 2:
                current = parameters.setdefault(text.removesuffix(":"), {})
            elif inside and indent == 4:
                key, _, value = text.partition(":")
                current[key] = read_scalar(key, value.strip())
    return parameters


def read_scalar(key, text):
    if key == "Description":
        return text
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("["):
        return [read_scalar("", part.strip()) for part in text.strip("[]").split(",")]
    if not text or text[0] in "'>|&*!{":
        raise ValueError(f"template.yaml: {key}: {text!r} is a form that settings.py does not read")
    return text


def check(template, path, profile, stack):
    try:
        given = read_lines(path)
    except FileNotFoundError:
        name = path.rsplit("/", 1)[-1]
        raise Complaints([f"it is not there: copy {profile}.parameters.example to {name} and fill it in"]) from None
    known = read_template_parameters(template)
    complaints = []
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", stack):
        complaints.append(f"the stack's name {stack!r} must be 1 to 30 lower-case letters, digits or dashes")
    if not re.fullmatch(r"[0-9]{12}", given.get("account", "")):
        complaints.append("account must be the twelve digits of the account this goes into")
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", given.get("region", "")):
        complaints.append("region must be a region, e.g. ap-southeast-1")
    parameters = {"Profile": profile, "TablePrefix": f"{stack}-", "SecretsPath": f"/{stack}/"}
    if given.get("Profile", profile) != profile:
        complaints.append(f"Profile is {given['Profile']}, but the command said {profile}")
    for name, value in given.items():
        if name in OURS:
            continue
        if name not in known:
            complaints.append(f"{name} is no parameter of template.yaml")
        elif value or name not in GIVEN:
            parameters[name] = value
    for name, about in known.items():
        if name in parameters:
            complaints += complain(name, parameters[name], about)
        elif "Default" not in about:
            complaints.append(f"{name} is missing")
    if complaints:
        raise Complaints(complaints)
    ours = {"account": given["account"], "region": given["region"], "profile": profile, "stack": stack}
    return ours | parameters


def complain(name, value, about):
    """What CloudFormation would say, before anything is built."""
    is_list = about.get("Type") == "CommaDelimitedList"
    for part in value.split(",") if is_list else [value]:
        pattern, allowed = about.get("AllowedPattern"), about.get("AllowedValues")
        if pattern and not re.fullmatch(pattern, part):
            yield f"{name} does not look right: {part!r} is not {pattern}"
        if allowed and part not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}, not {part!r}"
    if about.get("Type") == "Number":
        if not re.fullmatch(r"[0-9]+", value):
            yield f"{name} must be a whole number, not {value!r}"
        elif int(value) < int(about.get("MinValue", 0)) or int(value) > int(about.get("MaxValue", value)):
            yield f"{name} must be between {about.get('MinValue')} and {about.get('MaxValue')}, not {value}"


def load(path):
    """Checked settings: ours by their names, and `parameters` of the template."""
    settings = read_lines(path)
    parameters = {name: value for name, value in settings.items() if not name.islower()}
    return settings | {"parameters": parameters}


def back(in_force, known, then):
    """Parameters for an earlier template, and a line for each that can't stay as it is."""
    in_force, then = ({p["ParameterKey"]: p["ParameterValue"] for p in pairs} for pairs in (in_force, then))
    known = {parameter["ParameterKey"] for parameter in known}
    chosen = {name: value for name, value in in_force.items() if name in known}
    notes = [f"  {name} is left out: that deployment does not know it" for name in in_force if name not in known]
    for name in (known - in_force.keys()) & then.keys():
        chosen[name] = then[name]
        notes.append(f"  {name} is as it was then, {then[name]!r}: nothing in force tells it")
    return chosen, sorted(notes)


def print_parameters(parameters):
    print(json.dumps([{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()], indent=2))


def main(command, *rest):
    if command == "check":
        try:
            print(*(f"{name}={value}" for name, value in check(*rest).items()), sep="\n")
        except Complaints as found:
            print(f"{rest[1]}:", *(f"  {line}" for line in found.args[0]), sep="\n", file=sys.stderr)
            return 1
    elif command == "parameters":
        parameters = load(rest[0])["parameters"]
        for pair in rest[1:]:
            name, _, value = pair.partition("=")
            parameters[name] = value
        print_parameters(parameters)
    elif command == "back":
        documents = []
        for path in rest:
            with open(path, encoding="utf-8") as file:
                # The CLI prints null where there is none.
                documents.append(json.load(file) or [])
        parameters, notes = back(*documents)
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
        print_parameters(parameters)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
