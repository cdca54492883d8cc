"""`python -m tests.stand_ins mistral --port 9001`: one stand-in in a process of its own."""

import argparse

import uvicorn

from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.openai import OpenAIStandIn
from tests.stand_ins.pinecone import PineconeStandIn
from tests.stand_ins.server import config_of

KINDS = {"mistral": MistralStandIn, "openai": OpenAIStandIn, "pinecone": PineconeStandIn}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-key", default="key")
    parser.add_argument("--first-token-seconds", type=float, default=0.0)
    parser.add_argument("--tokens-per-second", type=float, default=0.0)
    parser.add_argument("--tokens", type=int, default=0, help="0: quote the prompt")
    given = parser.parse_args()
    app = KINDS[given.kind](api_key=given.api_key)
    app.keep_journal = False
    if isinstance(app, MistralStandIn | OpenAIStandIn):
        app.first_token_seconds = given.first_token_seconds
        app.tokens_per_second = given.tokens_per_second
        app.fixed_tokens = given.tokens
    uvicorn.Server(config_of(app, host="127.0.0.1", port=given.port)).run()


if __name__ == "__main__":
    main()
