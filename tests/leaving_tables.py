"""Tables with rows of an account or of a prospect: remove_account and forget_prospect have to know each.

A part of tests/house.py that needs no server. tests/e2e/leaving asks the catalog, and looks whether anything is left.
"""

import re
from collections.abc import Iterator
from pathlib import Path

LEAVING = "extension/src/verbs/leaving"
# A suppression says whom not to contact, and goes on saying so.
STAYS = {"prospect_id": {"suppressions"}}
VERBS = {"account_id": "remove_account", "prospect_id": "forget_prospect"}


def faults(repo: Path) -> Iterator[str]:
    """Tables that the verb does not name."""
    files = {column: repo / LEAVING / f"{verb}.rs" for column, verb in VERBS.items()}
    texts = {column: file.read_text() if file.is_file() else "" for column, file in files.items()}
    for file in sorted((repo / "sql").glob("[0-9][0-9]_*.sql")):
        for table, columns in re.findall(r"^CREATE TABLE sendgate\.(\w+) \((.*?)^\)", file.read_text(), re.M | re.S):
            for column, verb in VERBS.items():
                named = re.search(rf"^\s+{column}\b", columns, re.M) and table not in STAYS.get(column, ())
                if named and f'"{table}"' not in texts[column]:
                    yield (
                        f"{file.relative_to(repo)}: {table} has a column {column}, and {verb} would leave its rows behind. "
                        f"Add it to {LEAVING}/{verb}.rs."
                    )
