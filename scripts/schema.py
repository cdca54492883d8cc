"""Write docs/openapi.yaml from the code, or with --check say whether it is current.

The check also wants a change of the schema named: its hash stands in CHANGELOG.md, beside the
words for it, so that no client's contract changes unannounced.
"""

import argparse
import hashlib
import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "docs" / "openapi.yaml"
CHANGELOG = ROOT / "CHANGELOG.md"


def generate() -> str:
    """The schema as the code has it now, YAML."""
    sys.path.insert(0, str(ROOT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    import django

    django.setup()
    from django.core.management import call_command

    output = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=output)
    return output.getvalue()


def fingerprint(text: str) -> str:
    """What CHANGELOG.md calls this schema: the first 12 digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def complaint(text: str) -> str | None:
    """Why the repository is not in step with the schema `text`; None when it is."""
    if not SCHEMA.exists() or SCHEMA.read_text() != text:
        return "docs/openapi.yaml is not current: run `make schema` and commit it."
    if f"schema {fingerprint(text)}" not in CHANGELOG.read_text():
        return (
            "The API schema changed. Say what changed in CHANGELOG.md and end the line with "
            f"(schema {fingerprint(text)})."
        )
    return None


def main() -> int:
    """0 when written or current, 1 with a sentence on standard error otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = generate()
    if not check:
        SCHEMA.write_text(text)
        sys.stdout.write(f"{SCHEMA.relative_to(ROOT)}: schema {fingerprint(text)}\n")
        return 0
    wrong = complaint(text)
    if wrong:
        sys.stderr.write(wrong + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
