"""What documents/ and docs/ say of addresses, commands, variables and limits is so."""

import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from background_tasks.schedule import SCHEDULE
from chat.models import COMMENT_CHARS, TITLE_CHARS, Status
from chat.serializers import FEEDBACK_REASONS
from chat.streams.schemas import SCHEMAS
from common.errors import ApplicationError
from common.health import FAILURES_TO_DOWN
from common.idempotency import MAX_KEY_CHARS
from common.problems import STATUSES
from config.settings.rag import SHORT_NAMES
from rag.loaders.load import MEDIA_TYPES
from rag.loaders.pdf import MAX_PAGES
from rag.models import Document
from rag.serializers.documents import MAX_BATCH
from rag.serializers.search import MAX_QUERY_CHARS
from rag.types import DECLINED
from tests.test_env_example import in_example
from users.cookies import ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE
from users.serializers.fields import MAX_PASSWORD_CHARS
from users.services.families import GRACE
from users.services.links import LIFETIMES, Purpose

ROOT = Path(__file__).resolve().parent.parent
MANUAL = {
    path.relative_to(ROOT / "documents").as_posix(): path.read_text()
    for path in sorted((ROOT / "documents").rglob("*.md"))
}
DOCS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
PAGES = MANUAL | DOCS
TEXT = "\n".join(MANUAL.values())
MEASURING = "guides/measuring-and-rebuilding-the-index.md"
UUID = "01980d1e-7b1c-7c33-9d55-2f6f3f0a9b11"
STANDARD = {"-h", "--help", "--version", "-v", "--verbosity", "--settings", "--pythonpath"}
STANDARD |= {"--traceback", "--no-color", "--force-color", "--skip-checks"}
METHODS = "GET|POST|PUT|PATCH|DELETE"
ADDRESS = re.compile(
    rf"(?:\b({METHODS}) (?:http://localhost:8000)?|[`\s(\"0])"
    r"(/(?:api|health|metrics|admin)\b[A-Za-z0-9_/{}$-]*)"
)
ROLES = {"EMBEDDER": "embeddings", "VECTOR_STORE": "searched", "GENERATOR": "answers"}
# Words in capitals that look like variables and are none.
NOT_VARIABLES = {"LICENSE", "CHANGELOG", "SECURITY", "NAME", "FILE", "COMMAND", "DATASET", "PATH"}
NOT_VARIABLES |= {"POST", "GET", "PUT", "PATCH", "DELETE", "FINGERPRINT", "DEBUG", "INFO"}
NOT_VARIABLES |= {"WARNING", "ERROR", "N", "ACCESS", "REFRESH", "MESSAGE", "TASK", "REDIS"}
OTHERS_VARIABLES = {"DJANGO_SETTINGS_MODULE"}  # Django's own


def addresses() -> set[tuple[str, str]]:
    """(method or "", path) of every address that the manual names."""
    found = set()
    for method, path in ADDRESS.findall(TEXT):
        # Prefixes and places of other programs: "under /api/auth/".
        if path not in ("/api/", "/api/auth/", "/api/chat/", "/api/rag/"):
            found.add((method, path))
    return found


def concrete(path: str) -> str:
    """`path` with something in its holes."""
    path = path.replace("{name}", "chat_cleanup").replace("{token}", "t")
    path = re.sub(r"\{\w+\}|\$[A-Z]+", UUID, path)
    return path if path.endswith("/") or path == "/metrics" else f"{path}/"


@pytest.mark.parametrize(("method", "path"), sorted(addresses()))
def test_address_is_served_for_its_method(method: str, path: str) -> None:
    match = resolve(concrete(path))
    assert match.url_name != "not-found"
    view = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None)
    if method and view is not None:
        assert hasattr(view, method.lower())


def command_lines() -> set[tuple[str, str]]:
    """(command, option or "") of every use of manage.py in the manual and the docs."""
    found = set()
    for text in PAGES.values():
        used = re.findall(r"(?:`|python |bin/python )manage\.py ([a-z_]+)([^`\n|#]*)", text)
        for command, rest in used:
            found.add((command, ""))
            found.update((command, option) for option in re.findall(r"(--[a-z-]+)", rest))
    for page in ("command-line", "measuring-and-rebuilding-the-index"):
        for option, command in re.findall(
            r"option `(--[a-z-]+)[^`]*` of `manage\.py (\w+)`", MANUAL[f"guides/{page}.md"]
        ):
            found.add((command, option))
    return found


@pytest.mark.parametrize(("command", "option"), sorted(command_lines()))
def test_command_and_option_exist(command: str, option: str) -> None:
    commands = get_commands()
    assert command in commands
    if option:
        app = commands[command]
        built = load_command_class(app, command) if isinstance(app, str) else app
        parser: ArgumentParser = built.create_parser("manage.py", command)
        assert option in parser._option_string_actions


@pytest.mark.parametrize(
    ("command", "page", "column"),
    [
        ("evaluate_rag", MEASURING, "option of `evaluate_rag`"),
        ("rebuild_index", MEASURING, "option of `rebuild_index`"),
        ("populate_documents", "guides/filling-the-knowledge-base.md", "option"),
    ],
)  # fmt: skip
def test_table_of_options_is_the_commands_own(command: str, page: str, column: str) -> None:
    parser = load_command_class("rag", command).create_parser("manage.py", command)
    own = set(parser._option_string_actions) - STANDARD
    rows = table(MANUAL[page], column)
    assert {row[0].strip("`").split()[0] for row in rows} == own


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`make ([a-z-]+)", TEXT))))
def test_make_target_exists(name: str) -> None:
    done = subprocess.run(
        ["make", "-n", name, f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0


def named_variables() -> set[str]:
    """Every word in capitals with an underscore, or with a value, that stands in code."""
    quoted = " ".join(re.findall(r"`([^`\n]+)`", TEXT))
    blocks = " ".join(re.findall(r"```(?:bash|text)\n(.+?)```", TEXT, re.DOTALL))
    words = set(re.findall(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b", f"{quoted} {blocks}"))
    words |= set(re.findall(r"`([A-Z]{3,})`", TEXT))
    return words - NOT_VARIABLES - OTHERS_VARIABLES


@pytest.mark.parametrize("name", sorted(named_variables()))
def test_variable_is_one_that_the_settings_read(name: str) -> None:
    tasks = {f"TASK_{task.name.upper()}" for task in SCHEDULE}
    assert name in set(in_example()) | tasks


@pytest.mark.parametrize("name", sorted(in_example()))
def test_every_variable_is_in_the_manual(name: str) -> None:
    assert re.search(rf"\b{name}\b", TEXT)


def table(text: str, column: str) -> list[list[str]]:
    """The cells of the rows of the first table whose first column is called `column`."""
    match = re.search(rf"^\| {re.escape(column)} \|.*\n\|[ -|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert match, f"no table with the column {column}"
    rows = match[1].splitlines()
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]


def written_defaults() -> Iterator[tuple[str, str]]:
    """(variable, default) of each row that has a plain default in its second column."""
    for page in ("configuration-variables", "connecting-ai-services"):
        yield from re.findall(
            r"^\| `([A-Z][A-Z0-9_]+)` \| `([^`]+)` \|", MANUAL[f"guides/{page}.md"], re.MULTILINE
        )


@pytest.mark.parametrize(("name", "default"), sorted(written_defaults()))
def test_default_is_the_settings_own(name: str, default: str) -> None:
    known = in_example()[name]
    number = re.compile(r"\d+(\.\d+)?")
    if number.fullmatch(default) and number.fullmatch(known):
        assert float(default) == float(known)
    else:
        assert default.rstrip("/") == known


def test_table_of_tasks_is_the_schedule() -> None:
    rows = table(MANUAL["guides/background-tasks.md"], "task")
    assert {row[1].strip("`") for row in rows} == {task.name for task in SCHEDULE}
    listed = re.findall(r"^\| `([a-z_]+)` \| `([^`]+)` \|", DOCS["docs/operations/tasks.md"], re.M)
    assert set(listed) == {(task.name, task.cron) for task in SCHEDULE}


def test_times_of_the_daily_tasks_are_the_schedules() -> None:
    times = {task.name: task.cron.split() for task in SCHEDULE if not task.frequent}
    rows = {
        row[1].strip("`"): row[2] for row in table(MANUAL["guides/background-tasks.md"], "task")
    }
    for name, (minute, hour, _, _, weekday) in times.items():
        day = "weekly, Sunday" if weekday == "0" else "daily"
        assert rows[name] == f"{day} {int(hour):02}:{int(minute):02}"


def per(rate: str) -> str:
    """`"30/m"` as the manual writes it: "30 a minute"."""
    count, _, unit = rate.partition("/")
    return f"{count} {'a minute' if unit == 'm' else 'an hour'}"


def minutes(lifetime: timedelta) -> int:
    """A timedelta in whole minutes."""
    return round(lifetime.total_seconds() / 60)


def days(lifetime: timedelta) -> int:
    """A timedelta in whole days."""
    return minutes(lifetime) // 1_440


Said = Iterator[tuple[str, str]]


def said_of_rates() -> Said:
    """(page, words) of the limits on how often."""
    limits, page = settings.THROTTLES, "policies/rate-limits.md"
    for scope, action in (("chat", "chat"), ("search", "search"), ("index", "indexing documents")):
        user, staff = per(limits[scope]["user"]), per(limits[scope]["staff"])
        yield page, f"| {action} | {user} | {staff} |"
    yield page, f"| login | {per(limits['login']['address'])} | account, and network address |"
    yield page, f"| registration | {per(limits['register']['address'])} | network address |"
    yield page, f"change of e-mail address | {per(limits['mail']['address'])} together |"
    yield page, f"| reset mails, verification mails | {per(limits['mail']['recipient'])} each |"
    yield page, f"confirm) | {per(limits['confirm']['address'])} |"
    yield page, f"start page | {per(limits['try']['address'])} |"
    yield page, f"limited to {limits['password']['user'].split('/')[0]} attempts a minute for each"
    yield page, f"export of an account is limited to {per(limits['export']['user'])}."


def said_of_lifetimes() -> Said:
    """(page, words) of how long tokens, links and rows live."""
    tokens, kept = "guides/access-and-refresh-tokens.md", "policies/data-retention.md"
    access, refresh = settings.JWT_ACCESS_LIFETIME, settings.JWT_REFRESH_LIFETIME
    both = f"token lives {minutes(access)} minutes, and a refresh token lives {days(refresh)} days."
    yield tokens, both
    yield tokens, f"After {days(settings.JWT_SESSION_LIFETIME)} days every device must log in again"
    yield tokens, f"grace period of {GRACE.total_seconds():.0f} seconds"
    hours = {purpose: minutes(lifetime) // 60 for purpose, lifetime in LIFETIMES.items()}
    verify, change = hours[Purpose.VERIFY_EMAIL], hours[Purpose.CHANGE_EMAIL]
    reset = hours[Purpose.RESET_PASSWORD]
    yield "guides/registration-and-login.md", f"verification link is valid for {verify} hours"
    yield "guides/profile-and-email-address.md", f"e-mail address is valid for {change} hours"
    yield "guides/forgotten-and-changed-passwords.md", f"reset link is valid for {reset} hour "
    yield kept, f"| chat messages | {settings.CHAT_RETENTION_DAYS} days "
    yield kept, f"| events of a streamed answer | {settings.CHAT_EVENTS_SECONDS // 60} minutes |"
    yield kept, f"| idempotency records | {settings.IDEMPOTENCY_HOURS} hours |"
    yield kept, f"| audit log of security events | {settings.AUDIT_RETENTION_DAYS} days "
    yield kept, f"is mandatory | {settings.UNVERIFIED_ACCOUNT_DAYS} days "
    yield kept, f"| runs of background tasks | {settings.BACKGROUND_TASKS_LEDGER_DAYS} days "
    yield kept, f"| backups | the newest {settings.BACKUP_KEEP} "


def said_of_sizes() -> Said:
    """(page, words) of the limits on how much."""
    page = "policies/size-and-count-limits.md"
    yield page, f"| characters in a message | {settings.CHAT_MAX_MESSAGE_CHARS:,} |"
    yield page, f"| messages in a chat session | {settings.CHAT_MAX_SESSION_MESSAGES:,} |"
    yield page, f"| chat sessions of a user | {settings.CHAT_MAX_SESSIONS:,} |"
    yield page, f"| characters in a session title | {TITLE_CHARS:,} |"
    yield page, f"| characters in a feedback comment | {COMMENT_CHARS:,} |"
    yield page, f"| pages of a PDF | {MAX_PAGES:,} |"
    yield page, f"| characters of a document | {settings.RAG['MAX_DOCUMENT_CHARS']:,} |"
    yield page, f"| uploaded file | {settings.DOCUMENT_MAX_BYTES // 1_000_000} MB |"
    yield page, f"| files or documents in one request | {MAX_BATCH} |"
    yield page, f"nested at most {settings.REQUEST_MAX_JSON_DEPTH} levels deep"
    yield page, f"| `top_k` | {settings.RAG['TOP_K']} | 1 to {settings.RAG['MAX_TOP_K']} |"
    yield page, f"document search has at most {MAX_QUERY_CHARS:,} characters"
    yield page, f"at most {MAX_KEY_CHARS} printable characters"
    yield page, f"a password has at least 10 and at most {MAX_PASSWORD_CHARS}."


def said_of_names() -> Said:
    """(page, words) with the names of cookies, back ends, services and endings."""
    for name in (ACCESS_COOKIE, REFRESH_COOKIE, CSRF_COOKIE):
        yield "guides/cookie-mode.md", f"in the cookie `{name}`"
    beat = settings.CHAT_STREAM_HEARTBEAT_SECONDS
    yield "guides/streaming-answers.md", f"after every {beat:.0f} seconds of silence"
    yield "guides/answer-modes-and-confidence.md", f'"{DECLINED.rstrip(".")}'
    for role, names in SHORT_NAMES.items():
        listed = ", ".join(f"`{name}`" for name in names)
        yield "guides/connecting-ai-services.md", f"{ROLES[role]} | {listed} |"
    for name in settings.HEALTH_CHECKS:
        yield "guides/monitoring-and-health.md", f"`{name}`"
    for name in settings.DOCTOR_CHECKS:
        yield "guides/command-line.md", f"`{name}`"
    for ending in MEDIA_TYPES:
        yield "guides/file-formats.md", f"`{ending}`"


SAID = {*said_of_rates(), *said_of_lifetimes(), *said_of_sizes(), *said_of_names()}


@pytest.mark.parametrize(("page", "words"), sorted(SAID))
def test_number_or_name_is_the_codes(page: str, words: str) -> None:
    assert words in MANUAL[page]


def names_in(page: str, column: str) -> set[str]:
    """The first column of the table that begins with `column`, without its marks."""
    return {row[0].strip("`") for row in table(MANUAL[page], column)}


def test_lists_of_events_states_and_reasons_are_whole() -> None:
    assert names_in("guides/streaming-answers.md", "event") == set(SCHEMAS)
    assert names_in("guides/sending-a-message.md", "status") == set(Status.values)
    documents = names_in("guides/adding-documents-over-the-api.md", "status")
    assert documents == {status for status, _ in Document.STATUSES}
    reasons = re.search(r"six feedback reasons: (.+?)\.\n", TEXT)
    assert reasons is not None
    assert re.findall(r"`(\w+)`", reasons[1]) == list(FEEDBACK_REASONS)


def statuses_by_code() -> dict[str, int]:
    """The status of each code that a class of ours has."""
    found: dict[str, int] = {}
    classes = [ApplicationError]
    while classes:
        kind = classes.pop()
        classes += kind.__subclasses__()
        status = next((number for base, number in STATUSES if issubclass(kind, base)), None)
        if status is not None:
            found[kind.code] = status
    return found


@pytest.mark.parametrize("page", ["guides/errors.md", "docs/api-errors.md"])
def test_status_of_each_error_code_is_the_codes(page: str) -> None:
    known = statuses_by_code()
    rows = re.findall(r"^\| (`[a-z_`, ]+) \| (\d{3}) \|", PAGES[page], re.MULTILINE)
    said = {code: int(number) for codes, number in rows for code in re.findall(r"`(\w+)`", codes)}
    assert len(said) > 10
    assert {code: known.get(code, number) for code, number in said.items()} == said


FILES = r"`((?:deploy|docs|requirements|config|data|documents)/[\w./-]*|\w+\.(?:yaml|md|txt))`"
MADE_LATER = {
    "data/vectors",
    "data/db.sqlite3",
    "data/db.sqlite3-wal",
    "data/db.sqlite3-shm",
    "deploy/tls/",
}


@pytest.mark.parametrize("name", sorted(set(re.findall(FILES, TEXT)) - MADE_LATER))
def test_file_exists(name: str) -> None:
    found = [ROOT / name, *(ROOT / "benchmarks").rglob(name)]
    assert any(path.exists() for path in found)


def test_readiness_needs_the_database_alone() -> None:
    needed = [name for name, check in settings.HEALTH_CHECKS.items() if check["NEEDED"]]
    assert needed == ["database"]
    assert FAILURES_TO_DOWN > 1  # so that one failed probe is "degraded", as the manual says


def test_architecture_page_has_every_folder_of_the_tree() -> None:
    layout = re.search(r"## Layout\n\n```\n(.+?)```", DOCS["docs/architecture.md"], re.DOTALL)
    assert layout is not None
    named = set(re.findall(r"(?:^|(?<=\/ ))([a-z_]+)/", layout[1], re.MULTILINE))
    made = {"backups", "mail", "staticfiles", "htmlcov", "data", "node_modules"}
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__")) and path.name not in made
    }
    assert named == folders
