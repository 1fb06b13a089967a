"""Makes of a random history one with sequences of several messages.

It draws from a generator of its own, so that the histories stay those that they were where they have none.
"""

import random

from .books import DAY, HOUR

# How many histories have sequences, priorities, lists and work that is put back.
SEQUENCES = 0.5


def in_sequences(rng: random.Random, steps: list[tuple]) -> list[tuple]:
    """The same history; in half of them work has steps and priorities, comes in lists, and is put back."""
    if rng.random() >= SEQUENCES:
        return steps
    told: list[tuple] = []
    # The pieces that were put in, as each is named.
    pieces: list[tuple] = []
    for step in steps:
        told.append(step)
        who, plain = step[:1] if step[0] == "b" else (), step[step[0] == "b" :]
        if plain[0] == "enqueue":
            told[-1] = (*who, *plain, rng.choice((1, 1, 1, 2)), rng.choice((0, 0, 0, 0, 50, -50)))
            pieces.append((who, plain[1:4]))
            if rng.random() < 0.3:
                later = rng.choice((None, plain[4], HOUR, DAY))
                told.append((*who, *plain[:4], later, rng.choice((2, 3)), rng.choice((0, 0, 50))))
        elif plain[0] in ("cancel", "cancel_prospect", "confirm", "rollback", "rollback_many", "resolve", "dispatch"):
            if pieces and rng.random() < 0.3:
                who, piece = rng.choice(pieces[-4:])
                told.append((*who, "requeue", *piece, rng.choice((1, 1, 2, 3)), rng.choice((None, None, HOUR))))
            elif rng.random() < 0.05:
                told.append(("cancel_prospect", f"p{rng.randrange(6)}"))
    return in_lists(rng, told)


def in_lists(rng: random.Random, steps: list[tuple]) -> list[tuple]:
    """The same, where some of the work that is put in together is one list."""
    told: list[tuple] = []
    pieces: list[tuple] = []
    for step in (*steps, None):
        if step and "enqueue" in step[:2]:
            name, piece = ("b", step[2:]) if step[0] == "b" else ("a", step[1:])
            pieces.append((step, (name, *piece)))
            continue
        if len(pieces) > 1 and rng.random() < 0.5:
            told.append(("enqueue_many", tuple(piece for _, piece in pieces)))
        else:
            told += [one for one, _ in pieces]
        pieces = []
        told += [step] if step else []
    return told
