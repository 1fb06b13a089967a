"""The demo behind `make run`, to be read in this order:

- `show`      what happens, from the first step to the exit status
- `prepare`   what the demo needs: PostgreSQL with the extension, and `pg` for Node.js
- `stage`     a throwaway cluster with the extension, the roles and the accounts
- `partitions` the same with accounts split over partitions behind a proxy
- `children`  the mock provider and the workers, each a process of its own
- `console`   the daemon with the operators' console
- `campaigns` what the application, the operator and the calendar do meanwhile
- `acts`      this month, in which credits run out, and the 1st of the next
- `table`     the live table of accounts and campaigns
- `books`     what is judged: the database's books, and the provider's ledger
- `opt_out`   a prospect who opts out while the campaigns run
- `verdict`, `verdict_…`   the one against the other, check by check
- `terminal`  where and how things are printed
"""
