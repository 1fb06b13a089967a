"""What a told balance costs: a ``reserve`` of an account with known InMail credits beside one without, in
instructions, because a per cent is less than what rates differ by from run to run.
"""

from harness.progress import progress

from . import instructions
from .server import Server

# So many accounts of each kind, one call each at most.
EACH = instructions.ACCOUNTS // 2
# Each row is written as often, so that both kinds lie in their pages alike.
TELL = f"""
SELECT count(sendgate.record_credit_balance('account-' || n, 1000)) FROM generate_series(1, {2 * EACH}) n;
SELECT count(sendgate.forget_credit_balance('account-' || n, 'without')) FROM generate_series(1, {EACH}) n;
SELECT count(sendgate.record_credit_balance('account-' || n, 999)) FROM generate_series({EACH + 1}, {2 * EACH}) n;
VACUUM ANALYZE;
"""
KINDS = {"without a balance": 1, "with a balance": EACH + 1}


def measure(server: Server) -> dict[str, float]:
    """Instructions of one call, by the kind of account. The server is stopped meanwhile."""
    server.psql(TELL)
    server.cluster.stop()
    found = {}
    for kind, first in KINDS.items():
        progress(f"  instructions: reserve, {kind}")
        found[kind] = instructions.per_call(server.cluster, "reserve", EACH // 2, first)
    server.cluster.start()
    return found
