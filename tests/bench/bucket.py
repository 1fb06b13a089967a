"""pyrate-limiter's PostgreSQL bucket as fast as it goes: a bucket, which is a table, for each client.

bucket.py CONNECTION CLIENTS SECONDS prints calls a second, and all calls.
"""

import sys
import threading
import time

from psycopg_pool import ConnectionPool
from pyrate_limiter import Duration, PostgresBucket, Rate, RateItem

connection, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
pool = ConnectionPool(connection, min_size=clients, max_size=clients, open=True)
# The bucket counts its rows anew with each call: a day's cap of an account, as the other contenders have it.
buckets = [PostgresBucket(pool, f"account_{n}", [Rate(50, Duration.DAY)]) for n in range(clients)]
counts = [0] * clients
until = time.monotonic() + seconds


def work(number: int) -> None:
    while time.monotonic() < until:
        buckets[number].put(RateItem("inmail", int(time.time() * 1000)))
        counts[number] += 1


threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(round(sum(counts) / seconds), sum(counts))
pool.close()
