"""Workers who reserve through proxies at the same time, until every cap is used up."""

import threading
from collections.abc import Callable

import psycopg

from . import equal

WORKERS = 8


def caps_are_exact(
    connect: Callable[[int], psycopg.Connection], accounts: list[str], cap: int, reserve: Callable
) -> None:
    """Each worker, by a connection of its own, asks for as many messages of each account as its cap has."""
    granted: dict[str, int] = dict.fromkeys(accounts, 0)
    lock = threading.Lock()
    faults: list = []

    def work(number: int) -> None:
        try:
            connection = connect(number)
            for n in range(cap):
                for account in accounts:
                    if reserve(connection, account, "message", f"{number}-{n}")["proceed"]:
                        with lock:
                            granted[account] += 1
        except Exception as error:
            faults.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    equal(faults, [], "faults")
    equal(granted, dict.fromkeys(accounts, cap), "grants")
