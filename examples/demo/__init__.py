"""The demo behind `make run`, to be read in this order:

- `show`      what happens, from the first step to the exit status
- `prepare`   what the demo needs: PostgreSQL with the extension, and `pg` for Node.js
- `stage`     a throwaway cluster with the extension, the roles and the accounts
- `children`  the mock provider and the workers, each a process of its own
- `table`     the live table of accounts
- `verdict`   the books against the provider's ledger
- `terminal`  where and how things are printed
"""
