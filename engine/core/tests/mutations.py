#!/usr/bin/env python3
"""Proves that the equivalence test bites: breaks the core on purpose, one mutation at a time, and demands a failed test.

A mutation (tests/mutations/*.mutation) names what it breaks, a file below engine/core/src, a text that stands there
exactly once, and what to put in its stead. Whatever is not a test that fails by comparison is an error of this
script: a text that is not there, a core that no longer compiles, a panic before anything is compared, tests that all pass.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parents[2]
FORM = re.compile(r"\Abreaks: (.+)\nfile: (.+)\n<<<<\n(.*?)\n====\n(.*?)\n>>>>\n\Z", re.DOTALL)


class Unusable(Exception):
    """A mutation that proves nothing."""


def main():
    chosen = sys.argv[1:]
    mutations = sorted((TESTS / "mutations").glob("*.mutation"))
    mutations = [path for path in mutations if not chosen or any(part in path.name for part in chosen)]
    if not mutations:
        sys.exit("no mutation")
    with tempfile.TemporaryDirectory(prefix="triage-mutations-") as folder:
        copy = pathlib.Path(folder)
        copy_sources(copy)
        if run(copy, "--no-run").returncode != 0 or run(copy).returncode != 0:
            sys.exit("the test does not pass without a mutation")
        failures = [path.name for path in mutations if not caught(copy, path)]
    if failures:
        sys.exit(f"{len(failures)} of {len(mutations)} mutations prove nothing: {', '.join(failures)}")
    print(f"all {len(mutations)} mutations were caught")


def copy_sources(copy):
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name.startswith(("Cargo", "engine/", "grammar/")) and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)


def caught(copy, path):
    try:
        breaks, tests = judge(copy, path)
    except Unusable as reason:
        print(f"{path.name}: {reason}", flush=True)
        return False
    print(f"{path.name}: caught by {', '.join(tests)} ({breaks})", flush=True)
    return True


def judge(copy, path):
    form = FORM.match(path.read_text(encoding="utf-8"))
    if not form:
        raise Unusable("not of the form of a mutation")
    breaks, name, old, new = form.groups()
    file = copy / name
    if not name.startswith("engine/core/src/") or not file.is_file():
        raise Unusable(f"no file {name}")
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise Unusable(f"its text stands {text.count(old)} times in {name}, not once")
    file.write_text(text.replace(old, new), encoding="utf-8")
    try:
        return breaks, failed_tests(copy)
    finally:
        file.write_text(text, encoding="utf-8")


def failed_tests(copy):
    """The scenarios first: they take no time, and notice most mutations. What they let pass is left to the other tests."""
    try:
        built = run(copy, "--no-run")
        if built.returncode != 0:
            raise Unusable("does not compile\n" + built.stderr[-2000:])
        ran = run(copy, "--", "scenarios::")
        if ran.returncode == 0:
            ran = run(copy, "--", "--skip", "scenarios::")
    except subprocess.TimeoutExpired as error:
        raise Unusable("does not end") from error
    output = ran.stdout + ran.stderr
    if ran.returncode == 0:
        raise Unusable("SURVIVED: every test passes")
    if not re.search(r"by (interpreter|program)|assertion `left == right` failed", output):
        raise Unusable("nothing was compared: a panic, or rule sets that no longer compile")
    tests = re.findall(r"^test (\S+) \.\.\. FAILED$", output, re.MULTILINE)
    if not tests or "test result: FAILED" not in output:
        raise Unusable("no test failed\n" + output[-2000:])
    return tests


def run(copy, *more):
    command = ["cargo", "test", "--locked", "-p", "triage-core", "--test", "equivalence", *more]
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    settings = {
        "CARGO_TARGET_DIR": f"{target}/mutations",
        "CARGO_INCREMENTAL": "1",
        # What a mutation is noticed by is no matter of luck.
        "PROPTEST_RNG_SEED": "1",
        "PROPTEST_MAX_SHRINK_ITERS": "0",
        "RUST_BACKTRACE": "0",
    }
    environment = os.environ | settings
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=900, check=False)


main()
