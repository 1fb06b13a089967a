"""``make soak``: workers and the daemon run while processes are killed. Read the modules in this order:

- ``world``      what the processes share: sizes, the clock, who is how far
- ``provider``   the truth: a ledger that is written before it answers
- ``gate``       a session that repeats what got no answer
- ``worker``     one by one, in batches, or a scheduler; may be killed at any moment
- ``prepare``    accounts, caps, campaign work
- ``people``     operators, who settle unknown outcomes
- ``crowd``      workers and the daemon as processes
- ``kills``      who dies, and how
- ``run``        day after day; then the books are closed
- ``load``       ledgers and diaries beside the books
- ``verdict``    and ``verdict_…``: the checks, each two queries
- ``report``     all of it; ``soak`` is the command, ``tests/e2e/durability/test_chaos.py`` its short form
"""
