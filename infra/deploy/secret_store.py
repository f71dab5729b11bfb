"""A deployment's secrets: SecureStrings in SSM Parameter Store, one for each name, encrypted with the stack's key.

    secret_store.py check SETTINGS FILE          what `sync` would do, and everything that stands against it
    secret_store.py sync  SETTINGS FILE          writes what the file has and the store has not; overwrites nothing
    secret_store.py list  SETTINGS               what is stored, without any value
    secret_store.py put|rotate|finish|remove SETTINGS NAME

No value is ever printed or stands in an argument: `ps` shows arguments to everybody on the machine. Values go to the
AWS CLI through its standard input, and what it answers is searched for them before it is shown.
"""

import base64
import getpass
import json
import os
import re
import secrets as random
import stat
import subprocess
import sys
from collections import namedtuple
from datetime import datetime, timedelta, timezone

from settings import Complaints, load, read_lines

# needed: "always", the template's parameter that asks for it, or "" (may be absent).
# change: how it is replaced:
#   never    nothing that was made with it could be found again
#   anew     made here; what the old one signed ends
#   keys     made here and put in front; the old ones stay until nothing sealed with them is left
#   two      the new one in front of the old one, comma-separated, until the sender uses the new one
#   at once  the sender knows only one
Rule = namedtuple("Rule", "needed change form says")
ANY = r"[!-~]+"
# shared/platform/src/seal.rs takes no other; a function that is given one does not start.
SEALING_KEY = "name:key, the name letters and digits only, the key 32 bytes in base64"
RULES = {
    "PSEUDONYM_PEPPER": Rule("always", "never", r"[!-~]{16,}", "16 characters or more"),
    "QUOTE_SECRET": Rule("always", "anew", r"[!-~]{16,}", "16 characters or more"),
    "SEALING_KEYS": Rule("always", "keys", r"[A-Za-z0-9]+:[A-Za-z0-9+/]{43}=", SEALING_KEY),
    "CLERK_SECRET_KEY": Rule("", "at once", r"sk_[!-~]+", "sk_…"),
    "CLERK_WEBHOOK_SECRET": Rule("", "two", r"whsec_[A-Za-z0-9+/]+=*", "whsec_ and base64"),
    "DEEPSEEK_API_KEY": Rule("", "at once", ANY, "one word"),
    "ANTHROPIC_API_KEY": Rule("", "at once", ANY, "one word"),
    "FAL_KEY": Rule("", "at once", r"[^:\s]+:[^:\s]+", "id:secret"),
    "GROQ_API_KEY": Rule("", "at once", r"gsk_[!-~]+", "gsk_…"),
    "APIFY_TOKEN": Rule("", "at once", r"apify_api_[!-~]+", "apify_api_…"),
    # Of our own making. A message about a run that began with the old one is not believed; the run is looked at all the same.
    "APIFY_WEBHOOK_SECRET": Rule("", "at once", r"[!-~]{16,}", "16 characters or more"),
    "COMFYUI_TOKEN": Rule("ComfyuiUrl", "at once", ANY, "one word"),
    "OMNIVOICE_API_KEY": Rule("", "at once", ANY, "one word"),
    "REPLICATE_API_TOKEN": Rule("", "at once", r"r8_[!-~]+", "r8_…"),
    "REPLICATE_WEBHOOK_SECRETS": Rule("", "two", r"whsec_[A-Za-z0-9+/]+=*", "whsec_ and base64"),
    "SEPAY_SECRET_KEY": Rule("SepayMerchantId", "at once", ANY, "one word"),
    "SEPAY_IPN_SECRETS": Rule("", "two", ANY, "one word"),
    "SEPAY_BANK_HMAC_SECRETS": Rule("", "two", ANY, "one word"),
    "SEPAY_BANK_API_KEYS": Rule("", "two", ANY, "one word"),
    "SEPAY_BANK_API_TOKEN": Rule("", "at once", ANY, "one word"),
    "GOOGLE_DRIVE_CLIENT_SECRET": Rule("GoogleDriveClientId", "at once", ANY, "one word"),
    "DROPBOX_CLIENT_SECRET": Rule("DropboxClientId", "at once", ANY, "one word"),
    "TRONSCAN_API_KEY": Rule("", "at once", ANY, "one word"),
    "TRONGRID_API_KEY": Rule("", "at once", ANY, "one word"),
}
MADE_HERE = {"never", "anew", "keys"}
PROVIDERS = (
    "DEEPSEEK_API_KEY",
    "ANTHROPIC_API_KEY",
    "FAL_KEY",
    "GROQ_API_KEY",
    "APIFY_TOKEN",
    "REPLICATE_API_TOKEN",
    "COMFYUI_TOKEN",
    "OMNIVOICE_API_KEY",
)
# The parameter that asks for one of these ("" for always), and what is so without any. Not needed to deploy: a sender
# gives its secret only when the address is entered there, and the address comes from the first deployment. Until then the
# function behind it does not start, and its errors ring: it would believe no message.
BETTER_WITH = [
    ("", ("CLERK_WEBHOOK_SECRET",), "identity-webhook does not start: no deletion arrives"),
    ("SepayMerchantId", ("SEPAY_IPN_SECRETS",), "sepay-webhook does not start: payments wait for the comparison, a quarter of an hour"),
    ("BankAccount", ("SEPAY_BANK_HMAC_SECRETS", "SEPAY_BANK_API_KEYS"), "sepay-webhook does not start: payments wait for the comparison"),
    ("BankAccount", ("SEPAY_BANK_API_TOKEN",), "a bank webhook that gets lost stays lost"),
    ("TronWallet", ("TRONSCAN_API_KEY",), "the first indexer soon refuses"),
    ("TronWallet", ("TRONGRID_API_KEY",), "the second indexer soon refuses"),
]
# Warm functions read again after five minutes, and a run that began before lasts six.
REACHED_AFTER = timedelta(minutes=15)
VALUE_BYTES_MAX = 4096


class Stored(namedtuple("Stored", "value version changed_at")):
    """What the store has; `repr` would print the value."""

    def __repr__(self):
        return f"Stored(version={self.version})"


class Store:
    def __init__(self, settings):
        self.settings = settings
        self.path = settings["parameters"]["SecretsPath"]
        self.key = f"alias/{settings['stack']}-data"

    def read(self):
        folder = self.path.rstrip("/") or "/"
        answer = self.aws("get-parameters-by-path", "--path", folder, "--with-decryption", "--no-recursive")
        return {
            entry["Name"].removeprefix(self.path): Stored(
                entry["Value"], entry["Version"], read_time(entry["LastModifiedDate"])
            )
            for entry in answer["Parameters"]
        }

    def write(self, name, value, over):
        # Only the value is secret. As --cli-input-json the CLI would read its input twice, and find it empty then.
        arguments = ["--name", self.path + name, "--type", "SecureString", "--key-id", self.key]
        over = "--overwrite" if over else "--no-overwrite"
        return self.aws("put-parameter", *arguments, over, "--value", "file:///dev/stdin", value=value)["Version"]

    def remove(self, name):
        self.aws("delete-parameter", "--name", self.path + name)

    def aws(self, verb, *arguments, value=""):
        command = ["aws", "ssm", verb, "--output", "json", *arguments]
        done = subprocess.run(command, input=value, capture_output=True, text=True, check=False)
        if done.returncode:
            # Amazon repeats a value it refuses.
            said = done.stderr.strip()
            for part in sorted({value, *value.split(",")} - {""}, key=len, reverse=True):
                said = said.replace(part, "[redacted]")
            if "InvalidKeyId" in said:
                said += f"\nThe stack's key {self.key} is there once its first deployment has come to its end."
            raise Complaints([f"aws ssm {verb} {arguments[1]}: {said}"])
        return json.loads(done.stdout) if done.stdout.strip() else {}


def read_time(value):
    """Version 1 of the CLI prints seconds, version 2 a date."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    return datetime.fromisoformat(value).astimezone(timezone.utc)


def make(name, now):
    if RULES[name].change == "keys":
        return f"k{now:%Y%m%d}:{base64.b64encode(random.token_bytes(32)).decode()}"
    return random.token_urlsafe(32)


def parts(name, value):
    several = RULES[name].change in ("two", "keys")
    return [part.strip() for part in value.split(",")] if several else [value]


def complain_form(name, value):
    rule = RULES[name]
    if len(value.encode()) > VALUE_BYTES_MAX:
        return f"{name} is longer than the {VALUE_BYTES_MAX} bytes that Parameter Store takes"
    for part in parts(name, value):
        if not re.fullmatch(rule.form, part):
            return f"{name} must be {rule.says}"
        if rule.change == "keys":
            key = part.split(":", 1)[1]
            # Bits beyond the last byte are refused there, but not here.
            if base64.b64encode(base64.b64decode(key)).decode() != key:
                return f"{name} must be {rule.says}"
    return None


def complain_change(name, old, new):
    """Why this may not simply take the place of what is stored."""
    change = RULES[name].change
    if change == "never":
        return f"{name} is never changed: the hashes of e-mails and networks hang on it"
    if change == "keys" and not set(parts(name, old)) <= set(parts(name, new)):
        return f"{name} would lose a key that something may still be sealed with: use secret.sh rotate and finish"
    return None


# ---- check and sync: the file of a deployment


def read_file(path):
    """Empty values are left out: they are places to fill in."""
    if not os.path.exists(path):
        return {}
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        raise Complaints([f"{path} can be read by others: chmod 600 {path}"])
    given = {name: value for name, value in read_lines(path).items() if value}
    complaints = [f"{name} is no secret of this product" for name in given if name not in RULES]
    complaints += filter(None, (complain_form(name, value) for name, value in given.items() if name in RULES))
    if complaints:
        raise Complaints(complaints)
    return given


def plan(settings, path, stored, now):
    """Name → value of all that has to be written, or every reason against it."""
    given = read_file(path)
    parameters = settings["parameters"]
    writes, complaints = {}, []
    for name, rule in RULES.items():
        old, new = stored.get(name), given.get(name)
        if new is None and old is None and rule.change in MADE_HERE:
            writes[name] = make(name, now)
        elif new is None and old is None and (rule.needed == "always" or parameters.get(rule.needed)):
            reason = "" if rule.needed == "always" else f", because {rule.needed} is given"
            complaints.append(f"{name} is missing{reason}")
        elif new is not None and old is None:
            writes[name] = new
        elif new is not None and new != old.value:
            # Which of the two is right the file can't tell: it may be older than a rotation and edited after it.
            complaints.append(
                complain_change(name, old.value, new)
                or f"{name} is stored with another value, since {old.changed_at:%Y-%m-%d %H:%M} UTC. Take the line away;"
                f" if it is right: infra/deploy/secret.sh {settings['profile']} put {name} --stack {settings['stack']}"
            )
    there = set(stored) | set(writes)
    if not there & set(PROVIDERS):
        complaints.append(f"one of {', '.join(PROVIDERS)} is needed: without any, no tool can run")
    if complaints:
        raise Complaints(complaints)
    return writes


def advice(settings, there):
    for parameter, names, otherwise in BETTER_WITH:
        is_asked = not parameter or settings["parameters"].get(parameter)
        if is_asked and not there & set(names):
            yield f"  note: without {' or '.join(names)} {otherwise}"


def sync(settings, path, is_real):
    store, now = Store(settings), datetime.now(timezone.utc)
    stored = store.read()
    try:
        writes = plan(settings, path, stored, now)
    except Complaints as found:
        raise Complaints([f"{path}:", *(f"  {line}" for line in found.args[0])]) from None
    made = [name for name in writes if RULES[name].change in MADE_HERE and name not in read_file(path)]
    if is_real:
        for name, value in writes.items():
            # Nor what somebody stored a moment ago.
            store.write(name, value, over=False)
    word = "written" if is_real else "to write"
    print(f"secrets under {store.path}: {len(stored)} stored, {len(writes)} {word}")
    for name in writes:
        print(f"  {name}{' (made here)' if name in made else ''}")
    for line in advice(settings, set(stored) | set(writes)):
        print(line)


# ---- one secret


def list_all(settings):
    store = Store(settings)
    stored = store.read()
    print(f"{'name':<26}{'stored':<9}{'version':<9}{'changed (UTC)':<18}values")
    for name in [*RULES, *sorted(set(stored) - set(RULES))]:
        entry = stored.get(name)
        if not entry:
            print(f"{name:<26}{'no':<9}")
            continue
        count = len(parts(name, entry.value)) if name in RULES else "not a secret of this product"
        print(f"{name:<26}{'yes':<9}{entry.version:<9}{entry.changed_at:%Y-%m-%d %H:%M}  {count}")


def put(settings, name):
    store = Store(settings)
    old = store.read().get(name)
    value = ask(name)
    refusal = complain_form(name, value) or (old and value != old.value and complain_change(name, old.value, value))
    if refusal:
        raise Complaints([refusal])
    if old and value == old.value:
        print(f"{name} is stored as it is.")
        return
    tell_written(settings, name, store.write(name, value, over=True))


def rotate(settings, name):
    store, now = Store(settings), datetime.now(timezone.utc)
    old, change = store.read().get(name), RULES[name].change
    if not old:
        raise Complaints([f"{name} is not stored yet: use put"])
    if change == "never":
        raise Complaints([complain_change(name, old.value, "")])
    held = parts(name, old.value)
    if change == "two" and len(held) > 1:
        raise Complaints([f"{name} has {len(held)} values: finish the last rotation first"])
    value = make(name, now) if change in MADE_HERE else ask(name)
    refusal = complain_form(name, value)
    if not refusal and value in held:
        refusal = f"that is the stored {name}"
    if not refusal and change == "keys" and value.split(":")[0] in {key.split(":")[0] for key in held}:
        refusal = f"{name} got a new key today already"
    if refusal:
        raise Complaints([refusal])
    if change in ("two", "keys"):
        value = ",".join([value, *held])
    tell_written(settings, name, store.write(name, value, over=True))
    reached = datetime.now(timezone.utc) + REACHED_AFTER
    print(
        {
            "anew": "Quotes that are open now end.",
            "keys": f"The new key seals, the old ones open. `finish {name}` in {body_days(settings)} days.",
            "two": f"Both are believed from {reached:%H:%M} UTC on. Let the sender use the new one, then `finish {name}`.",
            "at once": f"Used everywhere from {reached:%H:%M} UTC on. Take the old one back at its issuer after that.",
        }[change]
    )


def finish(settings, name):
    """Leaves only the first value."""
    store, now = Store(settings), datetime.now(timezone.utc)
    old, change = store.read().get(name), RULES[name].change
    if change not in ("two", "keys"):
        raise Complaints([f"{name} holds one value; there is nothing to finish"])
    held = parts(name, old.value) if old else []
    if len(held) < 2:
        raise Complaints([f"{name} holds {len(held)} value{'' if len(held) == 1 else 's'}; there is nothing to finish"])
    if change == "keys":
        # The store's own date of the value whose first key is the new one.
        due = old.changed_at + timedelta(days=body_days(settings) + 1)
        if now < due:
            raise Complaints([f"what the old key sealed is kept until {due:%Y-%m-%d}: without it nobody could read it"])
    tell_written(settings, name, store.write(name, held[0], over=True))


def remove(settings, name):
    store, rule = Store(settings), RULES[name]
    if rule.change in MADE_HERE:
        raise Complaints([f"{name} is never removed"])
    if rule.needed == "always" or settings["parameters"].get(rule.needed):
        raise Complaints([f"{name} is needed"])
    store.remove(name)
    print(f"{name} is gone from {store.path}.")


def ask(name):
    """From a person without showing it, or the first line of a pipe."""
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline()
    value = value.strip()
    if not value:
        raise Complaints([f"no value for {name} was given"])
    return value


def body_days(settings):
    """How long sealed bodies are kept; a line of the profile."""
    path = os.path.join(os.path.dirname(__file__), "..", "profiles", f"{settings['profile']}.toml")
    with open(path, encoding="utf-8") as file:
        found = re.search(r"^body_days = (\d+)$", file.read(), re.MULTILINE)
    return int(found[1])


def tell_written(settings, name, version):
    print(f"{name} is stored, version {version}.")
    path = os.path.join(os.path.dirname(__file__), f"{settings['stack']}.secrets")
    if os.path.exists(path) and name in read_file(path):
        print(f"{os.path.basename(path)} still has an older {name}: take that line away.")


def main(command, settings, *rest):
    settings = load(settings)
    try:
        if command in ("check", "sync"):
            sync(settings, *rest, is_real=command == "sync")
        elif command == "list":
            list_all(settings)
        elif rest[0] not in RULES:
            raise Complaints([f"{rest[0]} is no secret of this product; there are {', '.join(RULES)}"])
        else:
            {"put": put, "rotate": rotate, "finish": finish, "remove": remove}[command](settings, rest[0])
    except Complaints as found:
        print(*found.args[0], sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
