"""Runs every test here, in two processes with an account each, and ends with how many passed and failed.

`run.py PART …` is one of the two: its tests are every second one.
"""

import subprocess
import sys
import unittest

import world

PARTS = 2


def tests_in(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_in(test)
        else:
            yield test


def run_part(part, words):
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{word}*" for word in words] or None
    tests = list(tests_in(loader.discover(str(world.HERE))))[part::PARTS]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    for services in world.SERVICES:
        services.stop()
    # A test of several parts (subTest) is one, however many of them fail.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"part {result.testsRun} {failed} {len(result.skipped)}")
    return 0


def run_all(words):
    parts = [
        subprocess.Popen([sys.executable, __file__, str(part), *words], stdout=subprocess.PIPE, text=True)
        for part in range(PARTS)
    ]
    run = failed = skipped = 0
    for part in parts:
        output, _ = part.communicate()
        last = output.splitlines()[-1].split() if output else []
        if part.returncode or last[:1] != ["part"]:
            failed += 1
            continue
        run, failed, skipped = run + int(last[1]), failed + int(last[2]), skipped + int(last[3])
    print(f"{run - failed} passed, {failed} failed")
    return 1 if failed or skipped or not run else 0


words = [word for word in sys.argv[1:] if word != "-k"]
sys.exit(run_part(int(words[0]), words[1:]) if words and words[0].isdigit() else run_all(words))
