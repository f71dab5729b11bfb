"""Runs every test here and ends with the line that tells how many passed and failed."""

import sys
import unittest

import world


def main():
    program = unittest.main(module=None, argv=["check.sh", "discover", "-s", str(world.HERE), *sys.argv[1:]], exit=False)
    for services in world.SERVICES:
        services.stop()
    result = program.result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed or result.skipped or not result.testsRun else 0


sys.exit(main())
