"""`make run PARTITIONS=4`: the demo through a proxy, with the same verdict."""

import re

from e2e.install import test_demo
from e2e.support import equal

# The subject is the proxy, whose server is PostgreSQL 15 whatever the partitions' is.
NEWEST_ONLY = True
# The daemon is built first, if it is not built yet.
TIMEOUT_SECONDS = 1200
SECONDS = 5
PARTITIONS = 4
# Each account on its own partition, and the proxy shows the same.
MORE_CHECKS = 2


def test_the_demo_plays_through_a_proxy(env):
    demo = test_demo.start(env, PARTITIONS=str(PARTITIONS), DEMO_SECONDS=str(SECONDS))
    output = demo.stdout.read()
    equal(demo.wait(), 0, f"exit status of\n{output}")
    assert f"{PARTITIONS} partitions on one throwaway server, and a proxy before them on another" in output, output
    verdict = output[output.index("Verdict") :]
    assert "FAIL" not in verdict, output
    checks = test_demo.CHECKS + MORE_CHECKS
    equal(len(re.findall(r"^  (?:OK  |–   )", verdict, re.MULTILINE)), checks, "checks")
    # Some may have found nothing to check, as in a short demo on one database.
    assert verdict.count("  OK  ") >= checks - test_demo.CHECKS_THAT_MAY_WAIT, output
    accounts = re.search(r"own partition alone +([\d+ ]+) accounts, 0 misplaced, 0 twice", verdict)
    assert accounts, output
    numbers = accounts[1].split(" + ")
    assert len(numbers) == PARTITIONS and "0" not in numbers, output
    equal(test_demo.left_behind(demo), [], "processes left behind")
