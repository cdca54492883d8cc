"""The full-text index over messages, kept in step by the database itself."""

from django.db import migrations

# Only final messages are indexed, and those never change: an answer's partial text costs nothing.
SQLITE = """
CREATE VIRTUAL TABLE chat_message_text USING fts5(
    content, content='chat_chatmessage', content_rowid='search_key',
    tokenize="porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
CREATE TRIGGER chat_message_text_insert AFTER INSERT ON chat_chatmessage
WHEN new.status NOT IN ('pending', 'streaming') BEGIN
    INSERT INTO chat_message_text(rowid, content) VALUES (new.search_key, new.content);
END;
CREATE TRIGGER chat_message_text_update AFTER UPDATE OF content, status ON chat_chatmessage BEGIN
    INSERT INTO chat_message_text(chat_message_text, rowid, content)
        SELECT 'delete', old.search_key, old.content
        WHERE old.status NOT IN ('pending', 'streaming');
    INSERT INTO chat_message_text(rowid, content)
        SELECT new.search_key, new.content
        WHERE new.status NOT IN ('pending', 'streaming');
END;
CREATE TRIGGER chat_message_text_delete AFTER DELETE ON chat_chatmessage
WHEN old.status NOT IN ('pending', 'streaming') BEGIN
    INSERT INTO chat_message_text(chat_message_text, rowid, content)
        VALUES ('delete', old.search_key, old.content);
END;
"""

TABLE_END = ");\n"

POSTGRESQL = """
CREATE INDEX chat_message_text ON chat_chatmessage
    USING gin (to_tsvector('english', content));
"""


def create(apps, schema_editor):
    """Make the index in the way of the database at hand."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"{SQLITE.partition(TABLE_END)[0]}{TABLE_END}")
        create_triggers(schema_editor)
    else:
        schema_editor.execute(POSTGRESQL)


def create_triggers(schema_editor):
    """The triggers alone, which a table that is made anew loses."""
    for trigger in SQLITE.partition(TABLE_END)[2].split("END;\n"):
        if trigger.strip():
            schema_editor.execute(f"{trigger}END;")


def drop(apps, schema_editor):
    """Take it away again."""
    if schema_editor.connection.vendor == "sqlite":
        for name in ("insert", "update", "delete"):
            schema_editor.execute(f"DROP TRIGGER chat_message_text_{name};")
        schema_editor.execute("DROP TABLE chat_message_text;")
    else:
        schema_editor.execute("DROP INDEX chat_message_text;")


class Migration(migrations.Migration):
    """Full-text search over messages."""

    dependencies = [("chat", "0001_initial")]

    operations = [migrations.RunPython(create, drop)]
