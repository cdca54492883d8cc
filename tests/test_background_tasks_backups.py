"""Backups: what is written comes back, on any engine; what is damaged is named."""

import gzip
import json
import os
import resource
import subprocess
import sys
import tarfile
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.core.files.storage import InMemoryStorage
from django.core.management import CommandError, call_command
from django.db import models

from background_tasks.backups import shelf as shelves
from background_tasks.backups.archive import ArchiveWriter, Manifest, read_archive
from background_tasks.backups.create import drop_old, make_backup, write_backup
from background_tasks.backups.drill import rehearse
from background_tasks.backups.encryption import CHUNK_BYTES, DecryptingReader, EncryptingWriter
from background_tasks.backups.restore import check_backup, restore_backup
from background_tasks.backups.rows import decode, encode
from background_tasks.backups.shelf import FolderShelf, StorageShelf, work_folder
from background_tasks.backups.snapshot import open_snapshot
from background_tasks.backups.tables import applied_migrations, models_at, stored
from background_tasks.errors import (
    ArchiveDamaged,
    BackupError,
    DatabaseNotEmpty,
    LeaseLost,
    NotVerified,
)
from chat.models import ChatMessage, ChatSession
from tests.factories import make_user
from users.models import User

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def backups(settings, tmp_path) -> Path:
    settings.BACKUP_DIR = tmp_path / "backups"
    return settings.BACKUP_DIR


@pytest.fixture
def written(transactional_db, backups) -> Path:
    """The file of a backup of two users with a chat."""
    for name in ("ada", "bob"):
        session = ChatSession.objects.create(user=make_user(username=name), title="Größe 😀")
        for position in range(3):
            ChatMessage.objects.create(
                session=session,
                sender_type="user",
                content=f"question {position}\nof {name}",
                position=position,
                metadata={"b": [1.5, 1e16, None], "a": {"deep": True}},
            )
    User.objects.get(username="ada").groups.add(Group.objects.create(name="editors"))
    return backups / write().name


def write(fence=lambda: None):
    with work_folder("run", 1) as work:
        return write_backup(work, fence)


def archive(parts: dict[str, list[bytes]]) -> bytes:
    sink = BytesIO()
    writer = ArchiveWriter(sink)
    manifest = Manifest(created_at="", product="", engine="", migrations={}, left_out={})
    for model, lines in parts.items():
        manifest.tables.append(writer.add_table(model, ["id"], lines))
    writer.close(manifest)
    return sink.getvalue()


SMALL = archive({f"app.table{n}": [b"[%d]\n" % i for i in range(200)] for n in range(4)})


class TestArchive:
    def test_any_tar_and_gzip_reads_it(self):
        with tarfile.open(fileobj=BytesIO(SMALL), mode="r:gz") as tar:
            names = tar.getnames()

        assert names[-1] == "manifest.json"
        assert names[0] == "tables/app.table0/00001.jsonl"
        assert gzip.decompress(SMALL)

    def test_what_was_written_is_read(self):
        seen = {}

        manifest = read_archive(
            BytesIO(SMALL), lambda model, name, body: seen.update({model: body})
        )

        assert manifest.rows == 800
        assert seen["app.table3"].splitlines()[-1] == b"[199]"

    @pytest.mark.parametrize("bit", [0, 7])
    def test_every_single_flipped_bit_is_found_and_named(self, bit):
        for position in range(len(SMALL)):
            damaged = bytearray(SMALL)
            damaged[position] ^= 1 << bit
            with pytest.raises(ArchiveDamaged) as found:
                read_archive(BytesIO(bytes(damaged)))
            assert found.value.member

    def test_the_damaged_table_is_the_one_that_is_named(self):
        # Incompressible lines, so that each table's place in the file is known.
        tables = {f"app.table{n}": [b"[%r]\n" % os.urandom(500).hex() for _ in range(40)]
                  for n in range(5)}  # fmt: skip
        whole = archive(tables)
        for number in range(5):
            damaged = bytearray(whole)
            damaged[int(len(whole) * (number + 0.5) / 5)] ^= 1
            with pytest.raises(ArchiveDamaged, match=f"app.table{number}"):
                read_archive(BytesIO(bytes(damaged)))

    @pytest.mark.parametrize("kept", [0, 5, 500, len(SMALL) - 1])
    def test_a_cut_archive_is_found(self, kept):
        with pytest.raises(ArchiveDamaged):
            read_archive(BytesIO(SMALL[:kept]))

    def test_what_follows_the_seal_is_found(self):
        with pytest.raises(ArchiveDamaged):
            read_archive(BytesIO(SMALL + b"\0"))

    def test_another_version_is_refused_by_name(self, monkeypatch):
        monkeypatch.setattr("background_tasks.backups.archive.VERSION", 2)

        with pytest.raises(BackupError, match="version 2"):
            read_archive(BytesIO(SMALL))

    def test_a_table_is_cut_into_parts(self, monkeypatch):
        monkeypatch.setattr("background_tasks.backups.archive.PART_BYTES", 100)
        parts = archive({"app.table": [b"[%d]\n" % i for i in range(100)]})

        manifest = read_archive(BytesIO(parts))

        assert len(manifest.tables[0].parts) > 3
        assert sum(part.rows for part in manifest.tables[0].parts) == 100


class TestEncryption:
    def encrypted(self, plain: bytes, key="secret") -> bytes:
        sink = BytesIO()
        writer = EncryptingWriter(sink, key)
        writer.write(plain)
        writer.close()
        return sink.getvalue()

    def decrypted(self, data: bytes, *keys: str) -> bytes:
        reader = DecryptingReader(BytesIO(data), keys)
        return b"".join(iter(reader.read, b""))

    @pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
    def test_what_was_encrypted_comes_back(self, size):
        plain = os.urandom(size)

        assert self.decrypted(self.encrypted(plain), "secret") == plain

    def test_an_old_key_still_opens(self):
        assert self.decrypted(self.encrypted(b"plain", "old"), "new", "old") == b"plain"

    def test_no_key_no_backup(self):
        with pytest.raises(BackupError, match="BACKUP_ENCRYPTION_KEY"):
            self.decrypted(self.encrypted(b"plain"), "other")

    @pytest.mark.parametrize("cut", [1, CHUNK_BYTES + 17])
    def test_a_cut_end_is_found(self, cut):
        with pytest.raises(ArchiveDamaged):
            self.decrypted(self.encrypted(os.urandom(3 * CHUNK_BYTES))[:-cut], "secret")

    def test_a_flipped_byte_is_found_with_its_place(self):
        data = bytearray(self.encrypted(os.urandom(3 * CHUNK_BYTES)))
        data[2 * CHUNK_BYTES] ^= 1

        with pytest.raises(ArchiveDamaged, match="encrypted bytes 65583 to"):
            self.decrypted(bytes(data), "secret")


class TestRows:
    class Everything(models.Model):  # noqa: DJ008 (shown to nobody)
        key = models.UUIDField(primary_key=True)
        at = models.DateTimeField()
        on = models.DateField()
        time = models.TimeField()
        took = models.DurationField()
        price = models.DecimalField(max_digits=9, decimal_places=2)
        score = models.FloatField()
        vector = models.BinaryField()
        nothing = models.TextField(null=True)
        free = models.JSONField()

        class Meta:
            app_label = "nowhere"
            managed = False

    def test_every_type_comes_back_as_it_was(self):
        from datetime import UTC, date, datetime, time

        row = {
            "key": UUID(int=7),
            "at": datetime(2024, 3, 31, 2, 30, 1, 999999, tzinfo=UTC),
            "on": date(2024, 2, 29),
            "time": time(23, 59, 59, 1),
            "took": timedelta(days=-1, microseconds=1),
            "price": Decimal("0.10"),
            "score": 0.1 + 0.2,
            "vector": b"\x00\xff",
            "nothing": None,
            "free": {"b": 1, "a": "\ud800"},
        }
        fields = self.Everything._meta.concrete_fields

        back = decode(fields, encode(list(row.values())))

        assert bytes(back.pop("vector")) == row.pop("vector")
        assert back == row

    def test_one_number_has_one_form(self):
        assert encode([1e16, 2.0, 0.5]) == b"[10000000000000000,2,0.5]\n"

    def test_an_unknown_type_is_no_silent_loss(self):
        with pytest.raises(TypeError):
            encode([object()])


@pytest.mark.django_db(transaction=True)
class TestBackup:
    def test_the_archive_names_counts_and_versions(self, written):
        manifest = check_backup(str(written))

        rows = {table.model: table.rows for table in manifest.tables}
        assert rows["chat.chatmessage"] == 6
        assert rows["users.user_groups"] == 1
        assert manifest.migrations["chat"][0] == "0001_initial"
        assert "users.tokenfamily" not in rows
        assert "users.tokenfamily" in manifest.left_out

    def test_it_is_readable_by_its_owner_alone(self, written):
        assert written.stat().st_mode & 0o077 == 0

    def test_every_table_is_in_it_or_left_out_with_a_reason(self):
        everything = models_at(applied_migrations("default"))
        left_out = set(everything) - set(stored(everything))

        assert left_out == {
            "sessions.session",
            "users.tokenfamily",
            "users.onetimelink",
            "users.outgoingmail",
            "common.idempotencyrecord",
            "background_tasks.taskrun",
            "background_tasks.taskstate",
        }

    def test_a_snapshot_does_not_see_what_is_written_meanwhile(self, written, tmp_path):
        with open_snapshot(tmp_path) as alias:
            seen = ChatMessage.objects.using(alias).count()
            ChatMessage.objects.all().delete()
            assert ChatMessage.objects.using(alias).count() == seen == 6

    def test_a_backup_restores_to_the_same_rows(self, written):
        before = list(ChatMessage.objects.order_by("pk").values())

        call_command("restore_backup", str(written), "--force-empty")

        assert list(ChatMessage.objects.order_by("pk").values()) == before
        assert User.objects.get(username="ada").groups.get().name == "editors"

    def test_new_rows_get_new_keys_after_a_restore(self, written):
        restore_backup(str(written), overwrite=True)

        assert Group.objects.create(name="more").pk > Group.objects.get(name="editors").pk

    def test_a_database_with_rows_is_refused_and_left_alone(self, written):
        ChatMessage.objects.all().delete()

        with pytest.raises(DatabaseNotEmpty, match=r"users\.user"):
            restore_backup(str(written))
        assert not ChatMessage.objects.exists()

    def test_a_damaged_archive_changes_nothing(self, written):
        data = bytearray(written.read_bytes())
        data[len(data) // 2] ^= 4
        written.write_bytes(data)

        with pytest.raises(CommandError, match="tables/"):
            call_command("restore_backup", str(written), "--force-empty")
        assert ChatMessage.objects.count() == 6

    def test_rows_that_differ_from_the_archive_undo_the_restore(self, written, monkeypatch):
        def lose_a_row(model, lines):
            kept = list(lines)[1:] if model._meta.model_name == "chatmessage" else lines
            insert(model, kept)

        from background_tasks.backups import restore

        insert = restore._insert
        monkeypatch.setattr(restore, "_insert", lose_a_row)

        with pytest.raises(NotVerified, match=r"chat\.chatmessage: 5 rows"):
            restore_backup(str(written), overwrite=True)
        assert ChatMessage.objects.count() == 6

    def test_another_version_s_tables_are_refused_by_name(self, written, monkeypatch):
        monkeypatch.setattr(
            "background_tasks.backups.restore.applied_migrations", lambda _: {"chat": ["0001_x"]}
        )

        with pytest.raises(BackupError, match=r"chat\.0001_x"):
            restore_backup(str(written), overwrite=True)

    def test_a_newer_version_s_backup_is_refused_by_name(self):
        with pytest.raises(BackupError, match=r"chat\.9999_future"):
            models_at({"chat": ["9999_future"]})

    def test_a_file_that_is_not_there_is_said_so(self, backups, db):
        with pytest.raises(CommandError, match="no backup nowhere"):
            call_command("restore_backup", "nowhere")

    def test_a_stale_worker_does_not_publish(self, written, backups):
        calls = []

        def fence():
            calls.append(1)
            if len(calls) > 10:
                raise LeaseLost

        before = sorted(backups.iterdir())
        with pytest.raises(LeaseLost):
            write(fence)
        assert sorted(backups.iterdir()) == before

    def test_an_encrypted_backup_restores_with_its_key_alone(self, written, backups, settings):
        settings.BACKUP_ENCRYPTION_KEY = "correct horse"
        made = write()

        assert made.name.endswith(".enc")
        assert b"question" not in (backups / made.name).read_bytes()
        assert check_backup(made.name).rows == made.manifest.rows
        settings.BACKUP_ENCRYPTION_KEY = ""
        with pytest.raises(BackupError, match="encrypted"):
            check_backup(made.name)


@pytest.mark.django_db(transaction=True)
class TestRehearsal:
    def test_the_job_restores_what_it_wrote_and_says_so(self, written, backups):
        figures = make_backup(run="run", attempt=1, fence=lambda: None)

        assert figures["verified_rows"] == figures["rows"]
        assert not list(backups.glob(".work*"))

    def test_verify_changes_nothing_and_exits_with_success(self, written, capsys):
        call_command("restore_backup", "--verify", str(written))

        assert "It restores" in capsys.readouterr().out
        assert ChatMessage.objects.count() == 6

    def test_a_failed_rehearsal_keeps_the_older_backups(
        self, written, backups, settings, monkeypatch
    ):
        def fail(name, work):
            raise NotVerified("broken")

        monkeypatch.setattr("background_tasks.backups.create.rehearse", fail)
        settings.BACKUP_KEEP = 1

        with pytest.raises(NotVerified):
            make_backup(run="run", attempt=1, fence=lambda: None)
        assert written.exists()

    def test_it_can_be_rehearsed_where_several_web_processes_run(
        self, written, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("WEB_CONCURRENCY", "4")

        assert rehearse(str(written), tmp_path) > 0

    def test_a_rehearsal_that_fails_says_why(self, written, tmp_path, settings):
        data = bytearray(written.read_bytes())
        data[-100] ^= 1
        written.write_bytes(data)

        with pytest.raises(NotVerified, match="failed"):
            rehearse(str(written), tmp_path)

    def test_a_dry_run_writes_nothing(self, written, backups):
        before = sorted(backups.iterdir())

        figures = make_backup(run="run", attempt=1, fence=lambda: None, dry_run=True)

        assert figures["kept"] == [written.name]
        assert sorted(backups.iterdir()) == before


class TestShelves:
    NAMES = [f"docent-backup-2024010{day}T010000Z.tar.gz" for day in range(1, 6)]

    @pytest.fixture(params=["folder", "storage"])
    def shelf(self, request, backups, monkeypatch):
        backups.mkdir()
        shelf = (
            FolderShelf(backups) if request.param == "folder" else StorageShelf(InMemoryStorage())
        )
        monkeypatch.setattr("background_tasks.backups.create.get_shelf", lambda: shelf)
        for name in self.NAMES:
            (backups / "unfinished").write_bytes(name.encode())
            shelf.put(backups / "unfinished", name)
        return shelf

    def test_what_is_put_is_listed_and_read(self, shelf):
        assert shelf.names() == self.NAMES
        with shelf.open(self.NAMES[2]) as file:
            assert file.read() == self.NAMES[2].encode()

    def test_the_same_name_again_replaces(self, shelf, backups):
        (backups / "unfinished").write_bytes(b"again")
        shelf.put(backups / "unfinished", self.NAMES[0])

        assert shelf.names() == self.NAMES
        with shelf.open(self.NAMES[0]) as file:
            assert file.read() == b"again"

    def test_only_the_newest_are_kept(self, shelf, settings):
        settings.BACKUP_KEEP = 2

        assert drop_old() == self.NAMES[:3]
        assert shelf.names() == self.NAMES[3:]

    def test_other_files_are_no_backups(self, backups):
        backups.mkdir()
        (backups / "notes.tar.gz").touch()

        assert FolderShelf(backups).names() == []

    def test_the_settings_name_the_storage(self, settings):
        settings.BACKUP_STORAGE = "django.core.files.storage.InMemoryStorage"

        assert isinstance(shelves.get_shelf(), StorageShelf)

    def test_what_a_killed_attempt_left_is_removed(self, backups):
        (backups / ".work-run-1").mkdir(parents=True)

        with work_folder("run", 2):
            assert [path.name for path in backups.iterdir()] == [".work-run-2"]
        assert list(backups.iterdir()) == []


def manage(
    *arguments: str, database: Path | str, backups: Path, limit: int = 0, **environment: str
):
    """Run a command in a process of its own; `limit` is the size that no file may pass."""
    url = database if isinstance(database, str) else f"sqlite:///{database}"
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": url,
            "BACKUP_DIR": str(backups),
            "USE_FAKE_REDIS": "true",
            "REDIS_URL": "",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=(
            (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
        ),
    )


def test_a_full_disk_leaves_the_older_backups_and_no_half_file(tmp_path):
    database, backups = tmp_path / "db.sqlite3", tmp_path / "backups"
    assert manage("migrate", "-v0", database=database, backups=backups).returncode == 0
    assert manage("run_task", "backup", database=database, backups=backups).returncode == 0
    before = sorted(path.name for path in backups.iterdir())

    told = manage("run_task", "backup", database=database, backups=backups, limit=400_000)

    assert told.returncode != 0
    assert sorted(path.name for path in backups.iterdir()) == before
    assert check_backup(str(backups / before[0])).rows > 0


def test_a_backup_restores_into_a_database_that_has_no_tables_yet(tmp_path):
    database, backups = tmp_path / "db.sqlite3", tmp_path / "backups"
    assert manage("migrate", "-v0", database=database, backups=backups).returncode == 0
    assert manage("run_task", "backup", database=database, backups=backups).returncode == 0
    backup = str(next(backups.glob("*.gz")))
    fresh = tmp_path / "fresh.sqlite3"

    told = manage("restore_backup", backup, "--json", database=fresh, backups=backups)

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout.splitlines()[-1])["rows"] == check_backup(backup).rows
    again = manage("restore_backup", backup, "--migrate", database=fresh, backups=backups)
    assert "--migrate needs a database without any tables" in again.stderr


def test_a_backup_of_an_older_version_restores_and_is_brought_up_to_this_one(tmp_path):
    database, backups = tmp_path / "db.sqlite3", tmp_path / "backups"
    for arguments in (["migrate", "-v0"], ["migrate", "chat", "0001", "-v0"]):
        assert manage(*arguments, database=database, backups=backups).returncode == 0

    told = manage("run_task", "backup", database=database, backups=backups)

    assert told.returncode == 0, told.stderr
    manifest = check_backup(str(next(backups.iterdir())))
    assert "0002_full_text" not in manifest.migrations["chat"]
    assert json.loads(told.stdout.partition("\n")[2])["verified_rows"] == manifest.rows


@pytest.mark.django_db(transaction=True)
class TestErasure:
    def erase(self, name="ada"):
        from users.services.accounts import erase_account

        user = User.objects.get(username=name)
        erase_account(user.pk)
        return user.pk

    def test_an_erased_account_does_not_come_back_with_a_restore(self, written):
        gone = self.erase()

        call_command("restore_backup", str(written), "--force-empty")

        assert not User.objects.filter(pk=gone).exists()
        assert ChatMessage.objects.filter(content__contains="of ada").count() == 0
        assert ChatMessage.objects.filter(content__contains="of bob").count() == 3

    def test_the_list_beside_the_backups_is_enough(self, written):
        from users.models import ErasedAccount

        gone = self.erase()
        ErasedAccount.objects.all().delete()

        restore_backup(str(written), overwrite=True)

        assert not User.objects.filter(pk=gone).exists()
        assert ErasedAccount.objects.filter(user_id=gone).exists()

    def test_nobody_is_mailed_about_it_twice(self, written):
        from users.models import OutgoingMail

        self.erase()
        OutgoingMail.objects.all().delete()

        restore_backup(str(written), overwrite=True)

        assert not OutgoingMail.objects.exists()

    def test_a_list_that_cannot_be_written_does_not_keep_the_account(self, written, settings):
        settings.BACKUP_DIR = Path("/proc/nowhere")

        gone = self.erase()

        assert not User.objects.filter(pk=gone).exists()

    def test_the_next_backup_writes_what_the_list_lacks(self, written, backups):
        from background_tasks.backups.erased import NAME, read_list, write_list

        gone = self.erase()
        (backups / NAME).unlink()

        write_list()

        assert read_list() == {gone}

    def test_no_planted_marker_is_left_in_the_database_or_in_redis(self, written, backups):
        from django.db import connection

        from chat.streams.mirror import stream_key
        from common.redis import get_redis

        marker = "XYZZY-MARKER"
        user = make_user(username="marked", first_name=marker, email=f"{marker}@example.com")
        session = ChatSession.objects.create(user=user, title=marker)
        question = ChatMessage.objects.create(
            session=session, sender_type="user", content=marker, position=0
        )
        answer = ChatMessage.objects.create(
            session=session, sender_type="bot", content=marker, position=1, reply_to=question,
            metadata={"sources": [{"title": marker}]},
        )  # fmt: skip
        get_redis().xadd(stream_key(answer.pk), {"frame": marker})

        self.erase("marked")

        # Mail that says goodbye goes out and is then gone.
        from users.models import OutgoingMail
        from users.services.delivery import send_due

        send_due()
        assert not OutgoingMail.objects.exists()
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT * FROM "{table}"')
                assert marker not in str(cursor.fetchall()), table
        assert not get_redis().exists(stream_key(answer.pk))
        assert marker.encode() not in (backups / write().name).read_bytes()
