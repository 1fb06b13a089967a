"""What needs a server that crashes, restarts or is dumped, in folders by subject.

A test is a function ``test_subject(env)``; ``harness/env.py`` says what ``env`` is.
"""
