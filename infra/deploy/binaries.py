"""Checks what `sam build` made: one arm64 program per function, within Lambda's limits.

    binaries.py BUILD-FOLDER TEMPLATE
"""

import os
import re
import struct
import sys
import zlib

# Lambda's ceiling for a function's unpacked code.
UNPACKED_BYTES_MAX = 250 * 1024 * 1024
# Ours (docs/FIGURES.md); above it a cold start gets slower, which somebody should want.
BINARY_BYTES_WANTED = 12 * 1024 * 1024
ELF_ARM64 = 183


def functions(template):
    """Logical ids; plain text, like settings.py."""
    with open(template, encoding="utf-8") as file:
        return re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function$", file.read(), re.MULTILINE)


def check(folder, name):
    path = os.path.join(folder, name, "bootstrap")
    if not os.path.isfile(path):
        return None, f"{name} has no program: {path} is not there"
    with open(path, "rb") as file:
        content = file.read()
    machine = struct.unpack_from("<H", content, 18)[0] if content[:4] == b"\x7fELF" else None
    if machine != ELF_ARM64:
        return None, f"{name} is not built for arm64"
    if len(content) > UNPACKED_BYTES_MAX:
        return None, f"{name} has {megabytes(len(content))}; Lambda takes {megabytes(UNPACKED_BYTES_MAX)}"
    packed = len(zlib.compress(content, 6))
    large = f"  above our {megabytes(BINARY_BYTES_WANTED)}" if len(content) > BINARY_BYTES_WANTED else ""
    return f"  {name:<24}{megabytes(len(content)):>9}  packed {megabytes(packed):>8}{large}", None


def megabytes(count):
    return f"{count / 1024 / 1024:.1f} MB"


def main(folder, template):
    complaints = []
    for name in functions(template):
        line, complaint = check(folder, name)
        print(line) if line else complaints.append(complaint)
    print(*complaints, sep="\n", end="\n" if complaints else "", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
