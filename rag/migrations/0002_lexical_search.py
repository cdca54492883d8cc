"""The lexical index: FTS5 tables kept by triggers on SQLite, a generated tsvector on PostgreSQL.

Only live chunks are in it. A later migration that rebuilds rag_chunk on SQLite (Django does so
for most alterations) drops the triggers with the old table: let it run `create` again.
"""

from django.db import migrations

WORDS = "porter unicode61 categories 'L* N* Co Mn Mc' remove_diacritics 2"
GRAMS = "unicode61 categories 'L* N* Co Mn Mc' remove_diacritics 2"


def _table(name, columns, tokenizer):
    return f"""CREATE VIRTUAL TABLE {name} USING fts5(
        {columns}, content='rag_chunk', content_rowid='key', tokenize="{tokenizer}")"""


def _triggers(name, columns, condition):
    names = ", ".join(columns)
    old = ", ".join(f"old.{column}" for column in columns)
    new = ", ".join(f"new.{column}" for column in columns)
    take = f"INSERT INTO {name}({name}, rowid, {names}) SELECT 'delete', old.key, {old}"
    put = f"INSERT INTO {name}(rowid, {names}) SELECT new.key, {new}"
    was = condition.format(row="old")
    now = condition.format(row="new")
    return [
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON rag_chunk BEGIN {put} WHERE {now}; END",
        f"CREATE TRIGGER {name}_delete AFTER DELETE ON rag_chunk BEGIN {take} WHERE {was}; END",
        f"CREATE TRIGGER {name}_update AFTER UPDATE OF live, {names} ON rag_chunk "
        f"BEGIN {take} WHERE {was}; {put} WHERE {now}; END",
    ]


SQLITE_CREATE = [
    _table("rag_chunk_words", "heading_path, text", WORDS),
    "CREATE VIRTUAL TABLE rag_chunk_words_vocab USING fts5vocab(rag_chunk_words, row)",
    *_triggers("rag_chunk_words", ["heading_path", "text"], "{row}.live"),
    _table("rag_chunk_grams", "grams", GRAMS),
    "CREATE VIRTUAL TABLE rag_chunk_grams_vocab USING fts5vocab(rag_chunk_grams, row)",
    *_triggers("rag_chunk_grams", ["grams"], "{row}.live AND {row}.grams <> ''"),
    # One rarely merged tree of many small commits makes queries slow.
    "INSERT INTO rag_chunk_words(rag_chunk_words, rank) VALUES ('automerge', 4)",
]
SQLITE_DROP = [
    f"DROP TRIGGER IF EXISTS {table}_{event}"
    for table in ("rag_chunk_words", "rag_chunk_grams")
    for event in ("insert", "delete", "update")
] + [
    "DROP TABLE rag_chunk_words_vocab",
    "DROP TABLE rag_chunk_words",
    "DROP TABLE rag_chunk_grams_vocab",
    "DROP TABLE rag_chunk_grams",
]
POSTGRESQL_CREATE = [
    # Headings twice: a word there counts twice.
    "ALTER TABLE rag_chunk ADD COLUMN words tsvector GENERATED ALWAYS AS "
    "(to_tsvector('english', heading_path || ' ' || heading_path || ' ' || text)) STORED",
    "CREATE INDEX rag_chunk_words ON rag_chunk USING gin (words) WHERE live",
    # Pieces are made by the application: no parser, no locale, no stemmer.
    "ALTER TABLE rag_chunk ADD COLUMN pieces tsvector GENERATED ALWAYS AS "
    "(array_to_tsvector(string_to_array(grams, ' '))) STORED",
    "CREATE INDEX rag_chunk_pieces ON rag_chunk USING gin (pieces) WHERE live AND grams <> ''",
]
POSTGRESQL_DROP = [
    "ALTER TABLE rag_chunk DROP COLUMN words",
    "ALTER TABLE rag_chunk DROP COLUMN pieces",
]


def create(apps, schema_editor):
    _run(schema_editor, SQLITE_CREATE, POSTGRESQL_CREATE)


def drop(apps, schema_editor):
    _run(schema_editor, SQLITE_DROP, POSTGRESQL_DROP)


def _run(schema_editor, sqlite, postgresql):
    vendor = schema_editor.connection.vendor
    for statement in {"sqlite": sqlite, "postgresql": postgresql}[vendor]:
        schema_editor.execute(statement, params=None)


def add_counter(apps, schema_editor):
    apps.get_model("rag", "IndexCounter").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    dependencies = [("rag", "0001_initial")]

    operations = [
        migrations.RunPython(create, drop),
        migrations.RunPython(add_counter, migrations.RunPython.noop),
    ]
