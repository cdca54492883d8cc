"""Fields that several forms share."""

from typing import Any

from rest_framework import serializers

from rag.models.documents import CATEGORY_MAX_CHARS

MAX_METADATA_KEYS = 20
MAX_METADATA_CHARS = 500
METADATA_KEY = r"^[A-Za-z][A-Za-z0-9_-]{0,49}\Z"


class StrictCharField(serializers.CharField):
    """Text and nothing else: a number or a boolean is not text."""

    def to_internal_value(self, data: Any) -> str:
        """`data` if it is a string."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Text is needed.")
        return str(super().to_internal_value(data))


class CategoryField(serializers.RegexField):
    """A slug in any case, stored in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[A-Za-z0-9_-]+\Z", max_length=CATEGORY_MAX_CHARS, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """The slug in lower case."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Text is needed.")
        return str(super().to_internal_value(data)).lower()


class MetadataField(serializers.DictField):
    """Up to 20 plain values by name."""

    child = serializers.JSONField()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """`data` if its names and values are plain."""
        import re

        if not isinstance(data, dict) or len(data) > MAX_METADATA_KEYS:
            raise serializers.ValidationError(f"At most {MAX_METADATA_KEYS} named values.")
        for name, value in data.items():
            if not re.match(METADATA_KEY, name) or "__" in name:
                raise serializers.ValidationError(f"Not a name: {name[:50]}")
            if not isinstance(value, str | int | float | bool):
                raise serializers.ValidationError(f"{name}: a text, number or boolean is needed.")
            if len(str(value)) > MAX_METADATA_CHARS:
                raise serializers.ValidationError(f"{name}: too long.")
        return data
