"""The house finds what is out of place, and says what to do."""

import pytest

import house

PRIVILEGES = "GRANT EXECUTE ON FUNCTION sendgate.reserve(text) TO sendgate_sender;\n"
FUNCTION = """CREATE FUNCTION sendgate.reserve(
    account_id text
) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_reserve';
COMMENT ON FUNCTION sendgate.reserve(text) IS 'Takes a slot.';
"""
ORDERLY = {
    "extension/src/lib.rs": "mod postgres;\nmod tables;\nmod verbs;\n",
    "extension/src/postgres.rs": "pub mod row;\n",
    "extension/src/postgres/row.rs": "",
    "extension/src/tables.rs": "pub mod accounts;\n",
    "extension/src/tables/accounts.rs": "use crate::postgres::row;\n",
    "extension/src/verbs.rs": "mod confirm;\nmod reserve;\n",
    "extension/src/verbs/confirm.rs": "use crate::tables::accounts;\n",
    "extension/src/verbs/reserve.rs": "sql_function!(sendgate_reserve, info, reserve);\n",
    "extension/decision/src/lib.rs": "",
    "daemon/src/lib.rs": "",
    "sql/30_gate.sql": FUNCTION,
    "sql/90_privileges.sql": PRIVILEGES,
    "docs/reference.md": "#### `reserve(account_id text) → void`\n",
    "tests/regress/sql/20_reserve.sql": "SELECT sendgate.reserve('a');\n",
}
# What is changed in the orderly house, and what has to be said about it.
FAULTS = {
    "an import upward": (
        {"extension/src/postgres/row.rs": "use crate::tables::accounts;\n"},
        "postgres/row.rs:1: postgres imports tables::accounts, which is not below it",
    ),
    "an import upward in braces": (
        {"extension/src/postgres/row.rs": "use crate::{postgres::row, tables::{accounts, other}};\n"},
        "postgres/row.rs:1: postgres imports tables::accounts",
    ),
    "a verb that knows another": (
        {"extension/src/verbs/confirm.rs": "use crate::verbs::reserve;\n"},
        "verbs::confirm imports its neighbour verbs::reserve",
    ),
    "a circle": (
        {
            "extension/src/tables.rs": "pub mod accounts;\npub mod events;\n",
            "extension/src/tables/accounts.rs": "use crate::tables::events;\n",
            "extension/src/tables/events.rs": "fn f() { super::accounts::g() }\n",
        },
        "a circle of imports: tables::accounts → tables::events → tables::accounts",
    ),
    "a long file": ({"extension/src/postgres/row.rs": "\n" * 401}, "postgres/row.rs: 401 lines, at most 400"),
    "a long map": ({"daemon/src/lib.rs": "\n" * 81}, "daemon/src/lib.rs: 81 lines, at most 80"),
    "no symbol": ({"extension/src/verbs/reserve.rs": ""}, "no Rust file exports sendgate_reserve"),
    "no function": (
        {"extension/src/verbs/confirm.rs": "sql_function!(sendgate_confirm, info, confirm);\n"},
        "sendgate_confirm is exported, but no SQL function uses it",
    ),
    "no comment": ({"sql/30_gate.sql": FUNCTION.split("COMMENT")[0]}, "reserve has no comment"),
    "no grant": ({"sql/90_privileges.sql": ""}, "no role may call reserve"),
    "no heading": ({"docs/reference.md": "reserve(account_id text)\n"}, "has no heading for reserve"),
    "a table that stays": (
        {"sql/30_gate.sql": FUNCTION + "CREATE TABLE sendgate.notes (\n    account_id text NOT NULL\n);\n"},
        "notes has a column account_id, and remove_account would leave its rows behind",
    ),
    "a word in a Rust comment": (
        {"extension/src/postgres/row.rs": "fn f() {} // whoever comes first\n"},
        "postgres/row.rs:1: “whoever”. Name the subject: the worker, call or session",
    ),
    "a word in a message": (
        {"daemon/src/db.rs": 'fn f() {\n    say("held by somebody else");\n}\n'},
        "daemon/src/db.rs:2: “somebody”",
    ),
    "a word in a template": ({"daemon/templates/page.html": "<p>Nobody knows.</p>\n"}, "page.html:1: “Nobody”"),
    "a word in a docstring": (
        {"tests/e2e/test_a.py": 'def f():\n    """Waits.\n\n    Nobody else does."""\n'},
        "tests/e2e/test_a.py:4: “Nobody”",
    ),
    "a word in a comment of Python": ({"tests/e2e/test_a.py": "x = 1  # what was sent\n"}, "test_a.py:1: “what was”"),
    "a word in the catalog": (
        {"sql/30_gate.sql": FUNCTION.replace("Takes a slot.", "Takes a slot,\nwhich nobody else has.")},
        "sql/30_gate.sql:7: “nobody”",
    ),
    "a word in SQL": ({"tests/regress/sql/20_reserve.sql": "SELECT 1; -- of which\n"}, "20_reserve.sql:1: “of which”"),
    "a word on a page": ({"docs/operations.md": "Work\nthat was put off.\n"}, "docs/operations.md:2: “put off”"),
    "a reason that the console does not explain": (
        {
            "extension/decision/src/names.rs": 'closed_list! {\n    Reason {\n        Full => "full",\n    }\n}\n',
            "daemon/src/words.rs": '"fully" => "…"',
            "docs/reference.md": ORDERLY["docs/reference.md"] + "`full`\n",
            "docs/application.md": "`full`\n",
        },
        "names.rs: daemon/src/words.rs does not name the reason full",
    ),
    "no test": ({"tests/regress/sql/20_reserve.sql": ""}, "no file of tests/regress/sql calls reserve"),
}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Builds a small house, with these files changed; its faults."""
    monkeypatch.setattr(house, "REPO", tmp_path)

    def built(changes: dict[str, str]) -> list[str]:
        (tmp_path / "tests/upgrade/releases").mkdir(parents=True, exist_ok=True)
        for name, text in (ORDERLY | changes).items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return house.faults()

    return built


def test_an_orderly_house_has_no_faults(build):
    assert build({}) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(build, name):
    changes, said = FAULTS[name]
    found = build(changes)
    assert any(said in fault for fault in found), found


def test_comments_and_tests_of_a_module_are_no_imports(build):
    text = "// use crate::tables::accounts;\n#[cfg(test)]\nmod tests {\n    use crate::verbs::reserve;\n}\n"
    assert build({"extension/src/postgres/row.rs": text}) == []


def test_names_and_texts_may_have_any_word(build):
    allowed = {
        "extension/src/postgres/row.rs": 'fn nobody() { warn("no one is there") }\n',
        "tests/e2e/test_a.py": 'def test_nobody():\n    """As the user ``nobody``."""\n    says("nobody // yet")\n',
        "tests/regress/sql/20_reserve.sql": "SELECT sendgate.reserve('nobody -- of which');\n",
        "docs/operations.md": "Servers run as `nobody`.\n\n```\nsudo -u nobody psql\n```\n",
        "tests/upgrade/releases/0.1.0/notes.md": "Nobody edits it.\n",
        ".run/README.md": "Nobody reads it.\n",
    }
    assert build(allowed) == []


def test_this_repository_is_in_order():
    assert house.faults() == []
