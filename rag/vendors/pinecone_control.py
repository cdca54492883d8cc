"""Pinecone's control plane: finding the index, making it where it is missing, its errors as ours.

Never deletes an index: what it did not make is not its own, and what it made holds the work of
hours. Creating polls every five seconds in the SDK, so this polls itself.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import (
    NotConfigured,
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from rag.resilience.deadline import time_limit
from rag.resilience.errors import ProviderBusy
from rag.resilience.perloop import PerLoop

if TYPE_CHECKING:
    from pinecone import AsyncPinecone

CONTROL_SECONDS = 10.0
READY_POLL_SECONDS = 0.5
MADE_BY = {"made-by": "docent"}
METRIC = "cosine"
BUSY, REQUEST_TIMEOUT, SERVER_ERROR = 429, 408, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which index, and where. Empty hosts: the public control plane, and its word for the index."""

    api_key: str
    index_name: str
    region: str = "us-east-1"
    cloud: str = "aws"
    control_host: str = ""
    index_host: str = ""


class PineconeControl:
    """The control plane, for the index at `place`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._clients = PerLoop(self._build)

    async def find_host(self) -> str:
        """The index's host. Raises NotConfigured when there is no such index."""
        from pinecone.errors.exceptions import NotFoundError

        client = await self._clients.get()
        with translated_errors():
            try:
                model = await client.indexes.describe(self.place.index_name)
            except NotFoundError as error:
                raise NotConfigured(
                    f"There is no Pinecone index {self.place.index_name}: "
                    "run `manage.py create_index`."
                ) from error
        if not model.host:
            raise ProviderUnavailable
        return str(model.host)

    async def ensure_index(self, *, dimension: int, seconds: float) -> bool:
        """Make the index if it is missing, and wait until it is ready; whether it was made.

        Raises NotConfigured when there is one of another shape: it is left as it is.
        """
        from pinecone.errors.exceptions import ConflictError, NotFoundError

        client = await self._clients.get()
        made = False
        with translated_errors():
            try:
                await client.indexes.describe(self.place.index_name)
            except NotFoundError:
                # A conflict: another process made it meanwhile.
                with suppress(ConflictError):
                    await self._create(dimension)
                    made = True
        await self._wait_until_ready(dimension, seconds)
        return made

    async def _create(self, dimension: int) -> None:
        from pinecone import ServerlessSpec

        client = await self._clients.get()
        await client.indexes.create(
            name=self.place.index_name,
            dimension=dimension,
            metric=METRIC,
            spec=ServerlessSpec(cloud=self.place.cloud, region=self.place.region),
            tags=MADE_BY,
            timeout=-1,
        )

    async def _wait_until_ready(self, dimension: int, seconds: float) -> None:
        client = await self._clients.get()
        async with time_limit(seconds):
            while True:
                with translated_errors():
                    model = await client.indexes.describe(self.place.index_name)
                if model.status.ready:
                    break
                await asyncio.sleep(READY_POLL_SECONDS)
        if (model.dimension, model.metric) != (dimension, METRIC):
            raise NotConfigured(
                f"The Pinecone index {self.place.index_name} has {model.dimension} dimensions "
                f"({model.metric}); the embedder makes {dimension} ({METRIC}). Name another index."
            )

    def _build(self) -> "AsyncPinecone":
        from pinecone import AsyncPinecone

        with translated_errors():
            return AsyncPinecone(
                api_key=self.place.api_key,
                host=self.place.control_host or None,
                timeout=CONTROL_SECONDS,
            )


@contextmanager
def translated_errors() -> Iterator[None]:
    """What the SDK raises, as errors of ours; its text may quote bodies, so it stays inside."""
    import pinecone.errors.exceptions as errors

    try:
        yield
    except (errors.PineconeValueError, errors.PineconeTypeError) as error:
        raise NotConfigured("Pinecone's key, host or index name is not valid.") from error
    except errors.PineconeTimeoutError as error:
        raise ProviderTimeout from error
    except errors.ApiError as error:
        raise _status_error(error.status_code, getattr(error, "retry_after", None)) from error
    except errors.PineconeConnectionError as error:
        raise ProviderUnavailable from error
    except errors.PineconeError as error:
        raise ProviderMalformed from error


def _status_error(status: int | None, wait: float | None) -> ProviderError:
    if status == BUSY:
        return ProviderBusy(wait=wait)
    if status is None or status == REQUEST_TIMEOUT or status >= SERVER_ERROR:
        return ProviderUnavailable()
    return ProviderRejected()
