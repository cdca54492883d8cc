"""Alert rules, the dashboard and the runbooks hold to the metrics that the code has."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy" / "prometheus" / "docent.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "docent.json"
RUNBOOKS = ROOT / "docs" / "operations.md"
SUFFIXES = re.compile(r"_(bucket|count|sum|total)$")


def known_metrics() -> set[str]:
    """Every name that stands in the code as a metric's."""
    source = "\n".join(
        path.read_text()
        for package in ("common", "users", "rag", "chat", "background_tasks")
        for path in (ROOT / package).rglob("*.py")
    )
    return set(re.findall(r'"(docent_[a-z_]+)"', source))


def named_in(text: str) -> set[str]:
    """The metrics that expressions use, without the endings that Prometheus adds."""
    return {SUFFIXES.sub("", name) for name in re.findall(r"\bdocent_[a-z_]+", text)}


def alerts() -> list[dict[str, object]]:
    """The alerts of the rules file."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_alerts_use_metrics_that_exist() -> None:
    assert named_in(" ".join(str(alert["expr"]) for alert in alerts())) - known_metrics() == set()


def test_dashboard_uses_metrics_that_exist() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    targets = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert named_in(" ".join(targets)) - known_metrics() == set()


@pytest.mark.parametrize("name", [str(alert["alert"]) for alert in alerts()])
def test_every_alert_has_its_runbook(name: str) -> None:
    assert f"\n### {name}\n" in RUNBOOKS.read_text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")
def test_promtool_finds_the_rules_right() -> None:
    command = ["promtool", "test", "rules", str(RULES.with_name("docent.tests.yml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
