"""Numbers as the report writes them."""

from django import template

register = template.Library()


@register.filter
def figure(value: float) -> str:
    """`12345` as "12,345"; whole numbers without a point."""
    return f"{value:,.4g}" if isinstance(value, float) and value % 1 else f"{int(value):,}"
