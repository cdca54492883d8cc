"""What the README says of commands, tasks and files is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from background_tasks.schedule import SCHEDULE

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_table_of_tasks_is_the_schedule() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(task.name, task.cron, task.summary) for task in SCHEDULE]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`manage\.py (\w+)", README))))
def test_command_exists(name: str) -> None:
    assert name in get_commands()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_make_target_exists(name: str) -> None:
    done = subprocess.run(
        ["make", "-n", name, f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
