"""Random histories: a model of the contract, and the same calls on PostgreSQL.

Read them in this order:

- ``history``    a history: steps made from a seed, and how two answers differ
- ``window``, ``books``, ``work``, ``dispatch``   parts of the model: windows, sends, campaigns, handing out
- ``model``, ``failures``, ``verbs``, ``world``   the model: the gate, what fails, all verbs, several accounts
- ``tables``, ``play``   what PostgreSQL answers and holds, compared after each step
- ``mutants``    wrong models, which must be found
"""
