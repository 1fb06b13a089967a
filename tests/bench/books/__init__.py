"""The figures of the books, step by step; ``tests/bench/books`` is the command.

data.py      accounts, journal and events as a busy server has them
planted.py   drift planted on purpose, and the check that it and nothing else was found
server.py    the throwaway server, its clock, pgbench and the sweeps' stopwatch
sweeps.py    time of each sweep to its end, by active accounts
plans.py     the plans of layers 1 and 2, and what they read
beside.py    reserve beside the sweeps
midnight.py  reserve across midnight
growth.py    reserve against two writes by hand, by size
memory.py    the daemon over a thousand rounds
report.py    the tables
"""
