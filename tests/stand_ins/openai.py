"""An OpenAI-compatible endpoint: the same paths, usage in a chunk of its own when asked for."""

from tests.stand_ins.chat import ChatStandIn


class OpenAIStandIn(ChatStandIn):
    """Sends usage only with `stream_options`."""

    def __init__(self, *, api_key: str = "key", dimension: int = 1_536) -> None:
        super().__init__(api_key=api_key, dimension=dimension)
        self.usage_with_reason = False
