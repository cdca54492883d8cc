"""What tokens cost, by the operator's own list."""

from django.conf import settings


def price(model: str, prompt: int, completion: int) -> float:
    """What those tokens cost by TOKEN_PRICES (model: [in, out] for a million); 0 for no price."""
    per_prompt, per_completion = settings.TOKEN_PRICES.get(model, (0, 0))
    return float(prompt * per_prompt + completion * per_completion) / 1_000_000
