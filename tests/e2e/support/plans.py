"""What runs inside a call: its statements and their plans."""

import json
import re


def listening(env) -> tuple:
    """A connection, and the plans of the statements that run in it, as they end."""
    connection = env.connect()
    log: list[dict] = []

    def hear(diagnostic) -> None:
        found = re.match(r"duration: .* plan:\n(.*)", diagnostic.message_primary or "", re.DOTALL)
        if found:
            log.append(json.loads(found[1]))

    connection.execute("LOAD 'auto_explain'")
    for name, value in (
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
        ("client_min_messages", "log"),
    ):
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.add_notice_handler(hear)
    return connection, log
