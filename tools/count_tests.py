"""Counts test cases: count_tests.py meson|tap|node LOG EXIT_STATUS.
Names what failed:   count_tests.py failed LOG, for --test-name-pattern.

Prints "PASSED FAILED". A log that holds no result, a plan that was not kept
and a failing exit status without a failed case each count as one failure:
a test that died must not look like a test that passed.
"""
import json
import re
import sys

RESULT = re.compile(r"^(ok|not ok) \d+\b(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")


def count_tap(text, ended_well):
    """Flat TAP, several plans allowed: cmocka writes one for each group."""
    passed = failed = skipped = planned = 0
    for line in text.splitlines():
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            planned += int(plan.group(1))
        elif result and "# SKIP" in line:
            skipped += 1
        elif result and result.group(1) == "ok":
            passed += 1
        elif result:
            failed += 1
    missing = max(0, planned - passed - failed - skipped)
    failed += missing
    if failed == 0 and (not ended_well or passed + skipped == 0):
        failed = 1
    return passed, failed


def count_meson(text):
    """testlog.json: one JSON object a line, one line a test program."""
    passed = failed = 0
    for line in text.splitlines():
        test = json.loads(line)
        ended_well = test["result"] == "OK"
        counts = count_tap(test.get("stdout", ""), ended_well)
        if counts[1]:
            print(f"failed: {test['name']} ({test['result']})",
                  file=sys.stderr)
        passed += counts[0]
        failed += counts[1]
    return passed, failed


def count_node(text):
    """The summary that node:test writes behind its TAP."""
    summary = dict(re.findall(r"^# (\w+) (\d+)$", text, re.MULTILINE))
    if "pass" not in summary:
        return 0, 0
    failed = int(summary["fail"]) + int(summary.get("cancelled", 0))
    return int(summary["pass"]), failed


def name_failed(text):
    """A pattern a line for the tests of node's TAP that failed."""
    for name in re.findall(r"^not ok \d+ - (.*)$", text, re.MULTILINE):
        name = re.sub(r"\\(.)", r"\1", name)
        print("^" + re.sub(r"([^\w\s])", r"\\\1", name) + "$")


def main():
    kind, path, *status = sys.argv[1:]
    status = status[0] if status else "0"
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            text = log.read()
    except OSError as error:
        sys.exit(f"count_tests.py: {error}")
    if kind == "failed":
        name_failed(text)
        return
    if kind == "tap":
        passed, failed = count_tap(text, status == "0")
    else:
        count = {"meson": count_meson, "node": count_node}[kind]
        passed, failed = count(text)
    if failed == 0 and (status != "0" or passed == 0):
        print(f"count_tests.py: exit status {status} with {passed} passed "
              "and none failed: counted as a failure", file=sys.stderr)
        failed = 1
    print(passed, failed)


main()
