"""Pinecone's two planes on one address: /indexes…, and each index's data under /ix/<name>."""

import asyncio
import math
import time
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from tests.stand_ins.asgi import Exchange, StandIn

MAX_BYTES = 2_000_000
MAX_RECORDS = 1_000
PAGE = 100

Record = dict[str, Any]
OPERATORS = {
    "$eq": lambda value, given: value == given,
    "$ne": lambda value, given: value != given,
    "$in": lambda value, given: value in given,
    "$nin": lambda value, given: value not in given,
    "$gt": lambda value, given: value is not None and value > given,
    "$gte": lambda value, given: value is not None and value >= given,
    "$lt": lambda value, given: value is not None and value < given,
    "$lte": lambda value, given: value is not None and value <= given,
    "$exists": lambda value, given: (value is not None) == given,
}


def matches(metadata: dict[str, Any], condition: dict[str, Any]) -> bool:
    """Whether a vector's metadata pass a filter."""
    for name, wanted in condition.items():
        if name == "$and":
            passed = all(matches(metadata, part) for part in wanted)
        elif name == "$or":
            passed = any(matches(metadata, part) for part in wanted)
        else:
            tests = wanted if isinstance(wanted, dict) else {"$eq": wanted}
            passed = all(OPERATORS[op](metadata.get(name), given) for op, given in tests.items())
        if not passed:
            return False
    return True


class Index:
    """One index: namespaces of vectors, each write visible `delay` seconds after it is made."""

    def __init__(self, name: str, request: dict[str, Any], ready_at: float) -> None:
        [field] = request["schema"]["fields"].values()
        self.name = name
        self.request = request
        self.dimension: int = field["dimension"]
        self.ready_at = ready_at
        self.namespaces: dict[str, dict[str, Record]] = {}
        self.pending: list[tuple[float, int, str, str, Record | None]] = []
        self.written = 0
        self.applied = 0

    def write(self, namespace: str, name: str, record: Record | None, delay: float) -> None:
        """Put or (None) remove one vector."""
        self.written += 1
        due = time.monotonic() + delay
        self.pending.append((due, self.written, namespace, name, record))

    def settle(self) -> None:
        """Apply the writes that are due."""
        now = time.monotonic()
        while self.pending and self.pending[0][0] <= now:
            _, self.applied, namespace, name, record = self.pending.pop(0)
            if record is None:
                self.namespaces.get(namespace, {}).pop(name, None)
            else:
                self.namespaces.setdefault(namespace, {})[name] = record


class PineconeStandIn(StandIn):
    """`ready_seconds` and `visible_seconds` make it as slow to settle as the service is."""

    def __init__(self, *, api_key: str = "key") -> None:
        super().__init__(api_key=api_key)
        self.indexes: dict[str, Index] = {}
        self.ready_seconds = 0.0
        self.visible_seconds = 0.0
        self.tell_positions = True
        self.deleted_indexes = 0
        self.url = ""
        #: How long each request of the data plane takes at least.
        self.hold_seconds = 0.0
        self.most_at_once = 0
        self._at_once = 0

    def authorised(self, headers: dict[str, str]) -> bool:
        """Pinecone has a header of its own."""
        return headers.get("api-key") == self.api_key

    async def answer(self, exchange: Exchange, payload: Any) -> None:
        """Route by plane."""
        if exchange.path.startswith("/indexes"):
            await self._control_plane(exchange, payload)
            return
        _, _, name, path = exchange.path.split("/", 3)
        index = self.indexes.get(name)
        if index is None:
            await self._refuse(exchange, 404, f"Index {name} not found")
            return
        index.settle()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.hold_seconds)
            await getattr(self, "_" + path.replace("vectors/", ""))(exchange, payload, index)
        finally:
            self._at_once -= 1

    async def _refuse(self, exchange: Exchange, status: int, message: str) -> None:
        body = {"error": {"code": "REFUSED", "message": message}, "status": status}
        await self.send_json(exchange, body, status=status)

    # --- control plane -------------------------------------------------------------------

    async def _control_plane(self, exchange: Exchange, payload: dict[str, Any]) -> None:
        name = exchange.path.removeprefix("/indexes").strip("/")
        if exchange.method == "POST":
            name = payload["name"]
            if name in self.indexes:
                await self._refuse(exchange, 409, "Resource already exists")
                return
            ready_at = time.monotonic() + self.ready_seconds
            self.indexes[name] = Index(name, payload, ready_at)
            await self.send_json(exchange, self._describe(name), status=201)
        elif name and name not in self.indexes:
            await self._refuse(exchange, 404, f"Resource {name} not found")
        elif exchange.method == "DELETE":
            del self.indexes[name]
            self.deleted_indexes += 1
            await self.send_json(exchange, {}, status=202)
        elif name:
            await self.send_json(exchange, self._describe(name))
        else:
            await self.send_json(exchange, {"indexes": [*map(self._describe, self.indexes)]})

    def _describe(self, name: str) -> dict[str, Any]:
        index = self.indexes[name]
        ready = time.monotonic() >= index.ready_at
        return {
            "name": name,
            "host": f"{self.url}/ix/{name}",
            "status": {"ready": ready, "state": "Ready" if ready else "Initializing"},
            "schema": index.request["schema"],
            "deployment": index.request["deployment"],
            "deletion_protection": index.request.get("deletion_protection") or "disabled",
            "tags": index.request.get("tags"),
        }

    # --- data plane ----------------------------------------------------------------------

    async def _upsert(self, exchange: Exchange, payload: dict[str, Any], index: Index) -> None:
        vectors = payload["vectors"]
        if len(orjson.dumps(payload)) > MAX_BYTES or len(vectors) > MAX_RECORDS:
            await self._refuse(exchange, 400, "Request size exceeds the limit")
            return
        if any(len(vector["values"]) != index.dimension for vector in vectors):
            message = (
                f"Vector dimension does not match the dimension of the index {index.dimension}"
            )
            await self._refuse(exchange, 400, message)
            return
        if exchange.fault and exchange.fault.kind == "half":
            vectors = vectors[: len(vectors) // 2]
        for vector in vectors:
            index.write(payload.get("namespace", ""), vector["id"], vector, self.visible_seconds)
        await self._send(exchange, {"upsertedCount": len(vectors)}, index)

    async def _query(self, exchange: Exchange, payload: dict[str, Any], index: Index) -> None:
        vector = payload["vector"]
        if len(vector) != index.dimension:
            await self._refuse(exchange, 400, "Vector dimension does not match")
            return
        held = index.namespaces.get(payload.get("namespace", ""), {})
        found = [
            {"id": name, "score": _cosine(vector, record["values"])}
            for name, record in held.items()
            if matches(record.get("metadata") or {}, payload.get("filter") or {})
        ]
        found.sort(key=lambda match: -match["score"])
        kind = exchange.fault.kind if exchange.fault else ""
        if kind == "nan":
            found = [{"id": match["id"], "score": "high"} for match in found]
        if kind == "dimension":
            found = [{"id": "somebody-else's", "score": 1.0}]
        body = {
            "matches": found[: payload["topK"]],
            "namespace": payload.get("namespace", ""),
            "usage": {"readUnits": 1},
        }
        await self._send(exchange, body, index)

    async def _fetch(self, exchange: Exchange, payload: Any, index: Index) -> None:
        query = parse_qs(exchange.query)
        namespace = unquote(query.get("namespace", [""])[0])
        held = index.namespaces.get(namespace, {})
        found = {name: held[name] for name in query["ids"] if name in held}
        await self._send(exchange, {"vectors": found, "namespace": namespace}, index)

    async def _list(self, exchange: Exchange, payload: Any, index: Index) -> None:
        query = {name: values[0] for name, values in parse_qs(exchange.query).items()}
        namespace = query.get("namespace", "")
        prefix = query.get("prefix", "")
        names = sorted(n for n in index.namespaces.get(namespace, {}) if n.startswith(prefix))
        start, size = int(query.get("paginationToken", 0)), int(query.get("limit", PAGE))
        body: dict[str, Any] = {
            "vectors": [{"id": name} for name in names[start : start + size]],
            "namespace": namespace,
        }
        if start + size < len(names):
            body["pagination"] = {"next": str(start + size)}
        await self._send(exchange, body, index)

    async def _delete(self, exchange: Exchange, payload: dict[str, Any], index: Index) -> None:
        namespace = payload.get("namespace", "")
        names = payload.get("ids") or []
        if payload.get("deleteAll"):
            names = list(index.namespaces.get(namespace, {}))
        for name in names:
            index.write(namespace, name, None, self.visible_seconds)
        await self._send(exchange, {}, index)

    async def _describe_index_stats(self, exchange: Exchange, payload: Any, index: Index) -> None:
        counts = {name: {"vectorCount": len(held)} for name, held in index.namespaces.items()}
        total = sum(len(held) for held in index.namespaces.values())
        body = {"namespaces": counts, "dimension": index.dimension, "totalVectorCount": total}
        await self._send(exchange, body, index)

    async def _send(self, exchange: Exchange, body: dict[str, Any], index: Index) -> None:
        """Send `body`, with the log positions that the service puts into its headers."""
        headers: dict[str, str] = {}
        if self.tell_positions:
            headers["x_pinecone_lsn_reconciled"] = str(index.applied)
            if exchange.path.endswith("/upsert"):
                headers["x_pinecone_lsn_committed"] = str(index.written)
        await self.send_json(exchange, body, headers=headers)


def _cosine(left: list[float], right: list[float]) -> float:
    product = sum(a * b for a, b in zip(left, right, strict=True))
    lengths = math.hypot(*left) * math.hypot(*right)
    return product / lengths if lengths else 0.0
