"""The full-text index of SQLite takes in messages by the hundred, and one index less is kept.

A transaction that writes to an FTS5 index costs half as much again as storing the message, however
short it is; for a hundred of them it costs little more than for one.
"""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

MESSAGES_AT_ONCE = 100
RUNNING = "('pending', 'streaming')"

# Final messages wait here. No message has the key 0: it is put in to have the others indexed now.
TABLE = "CREATE TABLE chat_message_unindexed (search_key integer NOT NULL PRIMARY KEY);"
TRIGGERS = {
    "insert": f"""
        AFTER INSERT ON chat_chatmessage WHEN new.status NOT IN {RUNNING} BEGIN
            INSERT INTO chat_message_unindexed VALUES (new.search_key);
        END
    """,
    "update": f"""
        AFTER UPDATE OF content, status ON chat_chatmessage
        WHEN old.status NOT IN {RUNNING} OR new.status NOT IN {RUNNING} BEGIN
            INSERT INTO chat_message_text(chat_message_text, rowid, content)
                SELECT 'delete', old.search_key, old.content
                WHERE old.status NOT IN {RUNNING} AND NOT EXISTS (
                    SELECT 1 FROM chat_message_unindexed WHERE search_key = old.search_key
                );
            DELETE FROM chat_message_unindexed WHERE search_key = old.search_key;
            INSERT INTO chat_message_unindexed
                SELECT new.search_key WHERE new.status NOT IN {RUNNING};
        END
    """,
    "delete": f"""
        AFTER DELETE ON chat_chatmessage WHEN old.status NOT IN {RUNNING} BEGIN
            INSERT INTO chat_message_text(chat_message_text, rowid, content)
                SELECT 'delete', old.search_key, old.content
                WHERE NOT EXISTS (
                    SELECT 1 FROM chat_message_unindexed WHERE search_key = old.search_key
                );
            DELETE FROM chat_message_unindexed WHERE search_key = old.search_key;
        END
    """,
    "batch": f"""
        AFTER INSERT ON chat_message_unindexed
        WHEN new.search_key = 0
            OR (SELECT count(*) FROM chat_message_unindexed) >= {MESSAGES_AT_ONCE}
        BEGIN
            INSERT INTO chat_message_text(rowid, content)
                SELECT search_key, content FROM chat_chatmessage
                WHERE search_key IN (SELECT search_key FROM chat_message_unindexed);
            DELETE FROM chat_message_unindexed;
        END
    """,
}


def drop_old(apps, schema_editor):
    """Take the former triggers away: with the table that is made anew they would be lost."""
    _drop(schema_editor, "insert", "update", "delete")


def create_old(apps, schema_editor):
    """Bring them back."""
    if schema_editor.connection.vendor == "sqlite":
        former = import_module("chat.migrations.0002_full_text")
        former.create_triggers(schema_editor)


def create(apps, schema_editor):
    """Collect what is new, and index it in batches."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(TABLE)
        for name, body in TRIGGERS.items():
            schema_editor.execute(f"CREATE TRIGGER chat_message_text_{name} {body};")


def drop(apps, schema_editor):
    """Index what waits, and take it away again."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("INSERT INTO chat_message_unindexed VALUES (0);")
        _drop(schema_editor, *TRIGGERS)
        schema_editor.execute("DROP TABLE chat_message_unindexed;")


def _drop(schema_editor, *names):
    if schema_editor.connection.vendor == "sqlite":
        for name in names:
            schema_editor.execute(f"DROP TRIGGER chat_message_text_{name};")


class Migration(migrations.Migration):
    """Cheaper messages."""

    dependencies = [("chat", "0002_full_text")]

    operations = [
        migrations.RunPython(drop_old, create_old),
        # The session's index is the beginning of the one over session, position and variant.
        migrations.AlterField(
            "chatmessage",
            "session",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="chat.chatsession",
            ),
        ),
        migrations.RunPython(create, drop),
    ]
