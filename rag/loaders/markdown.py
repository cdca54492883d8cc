"""Markdown, with or without front matter."""

import re
from typing import Any

from rag.loaders.base import Loaded, decode

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# What YAML reads as it stands there. It takes a hundred times as long to say so.
_PLAIN_FIELDS = re.compile(r"(?:[A-Za-z_]+: [A-Za-z][A-Za-z0-9_ ,.()/+?!-]*(?:\n|\Z))+")
_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
MAX_FRONT_MATTER_CHARS = 10_000
KNOWN = ("title", "category", "visibility")


def load_markdown(data: bytes) -> Loaded:
    """The text as it stands below its front matter; the title from there or the first heading."""
    text = decode(data).replace("\r\n", "\n")
    fields: dict[str, Any] = {}
    match = _FRONT_MATTER.match(text[:MAX_FRONT_MATTER_CHARS])
    if match:
        fields = _read_fields(match[1])
        text = text[match.end() :].lstrip("\n")
    heading = _HEADING.search(text[:MAX_FRONT_MATTER_CHARS])
    known = {name: str(fields.get(name) or "").strip() for name in KNOWN}
    return Loaded(
        content=text,
        title=known["title"] or (heading[1] if heading else ""),
        category=known["category"],
        visibility=known["visibility"].lower(),
        metadata={name: value for name, value in fields.items() if name not in KNOWN},
    )


def _read_fields(block: str) -> dict[str, Any]:
    """YAML's mapping of plain strings; where it is not YAML, what stands behind each `name:`.

    People write `title: Errors: what they mean`, which YAML refuses.
    """
    fields = None if _PLAIN_FIELDS.fullmatch(block) else _read_yaml(block)
    if isinstance(fields, dict):
        return {str(name).lower(): value for name, value in fields.items()}
    pairs = (line.partition(":") for line in block.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip().strip("\"'") for name, _, value in pairs}


def _read_yaml(block: str) -> Any:
    import yaml

    try:
        return yaml.load(block, Loader=_plain_loader())  # noqa: S506 (strings, lists, mappings)
    except (yaml.YAMLError, RecursionError):
        return None


def _plain_loader() -> Any:
    import yaml

    class PlainLoader(yaml.BaseLoader):
        """Strings, lists and mappings; no anchors, which can grow without bound."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not read")
            return super().compose_node(parent, index)

    return PlainLoader
