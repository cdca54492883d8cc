"""The transport under the SDKs, against a server that says what each test has it say."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rag.pace import pace_by
from rag.vendors import connection as connections
from rag.vendors import transport as transports
from rag.vendors.http import MAX_BODY_BYTES, BoundedClient, lines_of
from rag.vendors.transport import DirectTransport

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"content-length: 5\r\n\r\nhello"

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None] | None]


class Wire:
    """A server that hands each request to `answer` and counts its connections."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                self.requests.append(head + await reader.readexactly(length))
                if (waiting := self.answer(self.requests[-1], writer)) is not None:
                    await waiting
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def says(*pieces: bytes, close: bool = False) -> Answer:
    """An answer of these pieces, each written by itself."""

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.005)
        if close:
            writer.close()

    return answer


def talk(answer: Answer, work: Callable[[Wire, BoundedClient], Awaitable[Any]]) -> Any:
    """What `work` returns, with a wire that answers so."""

    async def run() -> Any:
        wire = Wire(answer)
        server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
        wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        client = BoundedClient()
        try:
            async with asyncio.timeout(10):
                return await work(wire, client)
        finally:
            await client.aclose()
            server.close()

    return asyncio.run(run())


async def post(wire: Wire, client: BoundedClient) -> httpx2.Response:
    return await client.post(wire.url, content=b"question", headers={"x-of": "ours"})


def error_of(answer: Answer) -> type[Exception]:
    """The class of what asking raises."""

    async def ask(wire: Wire, client: BoundedClient) -> type[Exception]:
        with pytest.raises(httpx2.TransportError) as caught:
            await post(wire, client)
        return caught.type

    found: type[Exception] = talk(answer, ask)
    return found


def test_request_is_sent_whole_and_its_answer_read():
    async def ask(wire: Wire, client: BoundedClient) -> tuple[bytes, httpx2.Response]:
        response = await post(wire, client)
        return wire.requests[0], response

    request, response = talk(says(OK + b"x-of: theirs\r\ncontent-length: 5\r\n\r\nhello"), ask)
    assert request.startswith(b"POST /v1 HTTP/1.1\r\n")
    assert b"x-of: ours\r\n" in request
    assert request.endswith(b"\r\n\r\nquestion")
    assert (response.status_code, response.headers["x-of"]) == (200, "theirs")
    assert response.content == b"hello"


@pytest.mark.parametrize(
    "pieces",
    [
        [WHOLE],
        [WHOLE[:9], WHOLE[9:40], WHOLE[40:]],
        [bytes([each]) for each in WHOLE],
        [OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE],
    ],
    ids=["at once", "in three", "byte by byte", "in chunks", "after 100"],
)
def test_body_is_the_same_however_it_comes(pieces: list[bytes]):
    assert talk(says(*pieces), post).content == b"hello"


def test_body_without_a_length_ends_with_the_connection():
    assert talk(says(OK + b"\r\nhel", b"lo", close=True), post).content == b"hello"


def test_one_connection_carries_request_after_request():
    async def ask(wire: Wire, client: BoundedClient) -> int:
        for _ in range(5):
            assert (await post(wire, client)).content == b"hello"
        return wire.connections

    assert talk(says(WHOLE), ask) == 1


@pytest.mark.parametrize(
    "answer",
    [
        says(WHOLE, close=True),
        says(WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")),
        says(WHOLE + WHOLE),
        says(WHOLE, b"HTTP/1.1 200"),
    ],
    ids=["closed", "to be closed", "two answers", "something after"],
)
def test_connection_that_cannot_be_trusted_is_not_used_again(answer: Answer):
    async def ask(wire: Wire, client: BoundedClient) -> int:
        for _ in range(3):
            assert (await post(wire, client)).content == b"hello"
            await asyncio.sleep(0.05)
        return wire.connections

    assert talk(answer, ask) == 3


def test_idle_connection_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transports, "KEPT_SECONDS", 0.02)

    async def ask(wire: Wire, client: BoundedClient) -> int:
        await post(wire, client)
        await asyncio.sleep(0.1)
        await post(wire, client)
        return wire.connections

    assert talk(says(WHOLE), ask) == 2


def test_leaving_in_the_middle_ends_the_connection():
    closed = asyncio.Event()

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)
        closed.set()

    async def ask(wire: Wire, client: BoundedClient) -> None:
        async with client.stream("POST", wire.url) as response:
            async for piece in response.aiter_raw():
                assert piece.startswith(b"he")
                break
        await closed.wait()

    talk(answer, ask)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), httpx2.RemoteProtocolError),
        (says(close=True), httpx2.RemoteProtocolError),
        (says(OK + b"content-length: 9\r\n\r\nhello", close=True), httpx2.RemoteProtocolError),
        (
            says(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", close=True),
            httpx2.RemoteProtocolError,
        ),
        (
            says(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
            httpx2.RemoteProtocolError,
        ),
        (says(OK + b"x: " + b"y" * 400_000), httpx2.RemoteProtocolError),
        (
            says(OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello"),
            httpx2.RemoteProtocolError,
        ),
        (
            says(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
            httpx2.RemoteProtocolError,
        ),
        (
            says(OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            httpx2.RemoteProtocolError,
        ),
    ],
    ids=[
        "not HTTP", "nothing", "short of its length", "no last chunk", "no chunk", "endless head",
        "compressed", "upgraded", "two lengths",
    ],
)  # fmt: skip
def test_answer_that_is_none_is_an_error(answer: Answer, error: type[Exception]):
    assert error_of(answer) is error


def test_body_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        for _ in range(20):
            writer.write(b"x" * (MAX_BODY_BYTES // 10))
            await writer.drain()

    assert error_of(answer) is httpx2.RemoteProtocolError


def test_provider_waits_for_a_slow_reader(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HIGH_WATER_BYTES", 1_000)
    body = bytes(range(256)) * 20_000

    async def ask(wire: Wire, client: BoundedClient) -> bytes:
        got = b""
        async with client.stream("POST", wire.url) as response:
            async for piece in response.aiter_raw():
                got += piece
                await asyncio.sleep(0.001)
        return got

    assert talk(says(OK + b"content-length: %d\r\n\r\n" % len(body) + body), ask) == body


def test_long_request_arrives_whole():
    async def ask(wire: Wire, client: BoundedClient) -> int:
        await client.post(wire.url, content=b"x" * 3_000_000)
        return len(wire.requests[0].partition(b"\r\n\r\n")[2])

    assert talk(says(WHOLE), ask) == 3_000_000


def test_nothing_that_would_end_a_header_is_sent():
    async def ask(wire: Wire, client: BoundedClient) -> int:
        with pytest.raises(httpx2.LocalProtocolError):
            await client.post(wire.url, headers={"authorization": "Bearer a\r\nx: y"})
        return len(wire.requests)

    assert talk(says(WHOLE), ask) == 0


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1/", httpx2.ConnectError),
        ("http://no-such-host.invalid/", httpx2.ConnectError),
        ("ftp://127.0.0.1/", httpx2.UnsupportedProtocol),
    ],
)
def test_service_that_cannot_be_reached(url: str, error: type[Exception]):
    async def ask(wire: Wire, client: BoundedClient) -> None:
        with pytest.raises(error):
            await client.post(url)

    talk(says(WHOLE), ask)


def test_service_that_speaks_no_tls_is_not_asked():
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")

    async def run() -> None:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        client = BoundedClient()
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(httpx2.ConnectError):
            await client.post(f"https://127.0.0.1:{port}/")
        await client.aclose()
        server.close()

    asyncio.run(run())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `localhost` and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path / "localhost.pem"
    pem = Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(pem)
    )
    return path


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("trusted", "host", "error"),
    [
        (True, "localhost", None),
        (True, "127.0.0.1", httpx2.ConnectError),
        (False, "localhost", httpx2.ConnectError),
    ],
    ids=["trusted", "of another name", "not trusted"],
)
def test_tls_is_checked(
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    runner: Callable[..., Any],
    trusted: bool,
    host: str,
    error: type[Exception] | None,
):
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def ask() -> None:
        wire = Wire(says(WHOLE))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(wire.serve, "127.0.0.1", 0, ssl=context)
        url = f"https://{host}:{server.sockets[0].getsockname()[1]}/"
        async with BoundedClient() as client:
            if error is None:
                for _ in range(2):
                    assert (await client.post(url, content=b"question")).content == b"hello"
                assert wire.connections == 1
            else:
                with pytest.raises(error):
                    await client.post(url, content=b"question")
                assert wire.requests == []
        server.close()

    runner(ask())


def test_request_that_finds_every_connection_in_use_waits_and_is_told():
    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(WHOLE)

    async def run(wire: Wire, _: BoundedClient) -> None:
        transport = DirectTransport(most=1, kept=1, max_body_bytes=1_000)
        async with httpx2.AsyncClient(transport=transport) as client:
            timeout = httpx2.Timeout(None, pool=0.05)
            first = asyncio.create_task(client.post(wire.url, timeout=None))
            await asyncio.sleep(0.02)
            with pytest.raises(httpx2.PoolTimeout):
                await client.post(wire.url, timeout=timeout)
            assert (await first).content == b"hello"
            # The slot is free again, and the connection was kept.
            assert (await client.post(wire.url, timeout=None)).content == b"hello"
            assert wire.connections == 1

    talk(answer, run)


def test_request_that_is_cancelled_frees_its_slot():
    async def run(wire: Wire, _: BoundedClient) -> None:
        transport = DirectTransport(most=1, kept=1, max_body_bytes=1_000)
        async with httpx2.AsyncClient(transport=transport) as client:
            for seconds in (0.0, 0.01, 0.05):
                task = asyncio.create_task(client.post(wire.url))
                await asyncio.wait([task], timeout=seconds)
                task.cancel()
                await asyncio.wait([task])
            wire.answer = says(WHOLE)
            assert (await client.post(wire.url)).content == b"hello"

    talk(says(), run)


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], [[b"a", b"b"]]),
        ([b"a", b"b\n"], [[b"ab"]]),
        ([b"a\r\nb\rc"], [[b"a", b"b"], [b"c"]]),
        ([b"a\n", b"\nb"], [[b"a"], [b""], [b"b"]]),
        (["ä\u2028ö".encode() + b"\n"], [["ä\u2028ö".encode()]]),
        ([], []),
    ],
)
def test_lines_come_whole_and_together(pieces: list[bytes], lines: list[list[bytes]]):
    async def body() -> Any:
        for piece in pieces:
            yield piece

    async def read() -> list[list[bytes]]:
        return [each async for each in lines_of(httpx2.Response(200, content=body()))]

    assert asyncio.run(read()) == lines


def test_line_has_a_limit():
    async def body() -> Any:
        for _ in range(30):
            yield b"x" * 100_000

    async def read() -> None:
        async for _ in lines_of(httpx2.Response(200, content=body())):
            pass

    with pytest.raises(httpx2.RemoteProtocolError):
        asyncio.run(read())


PIECES = [b"data: %d\n" % number for number in range(8)]


def batches_read(followed: Callable[[], bool] | None) -> list[int]:
    """How many lines each read of a dripped body brings."""
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in PIECES]
    head = OK + b"transfer-encoding: chunked\r\n\r\n"

    async def read(wire: Wire, client: BoundedClient) -> list[int]:
        if followed is not None:
            pace_by(followed)
        async with client.stream("POST", wire.url, content=b"question") as response:
            batches = [lines async for lines in lines_of(response)]
        assert [line + b"\n" for lines in batches for line in lines] == PIECES
        return [len(lines) for lines in batches]

    batches: list[int] = talk(says(head, *framed, b"0\r\n\r\n"), read)
    return batches


def test_where_somebody_reads_along_each_piece_is_handed_on_at_once() -> None:
    # Two may come in one read of a busy machine.
    assert len(batches_read(lambda: True)) > 3
    assert len(batches_read(None)) > 3


def test_where_nobody_reads_along_pieces_are_gathered_until_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Never in this test, but for the end of the body.
    monkeypatch.setattr(connections, "GATHER_SECONDS", 60.0)

    first, *rest = batches_read(lambda: False)

    assert first < len(PIECES)
    assert len(rest) == 1


def test_what_was_gathered_is_handed_on_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GATHER_SECONDS", 0.01)

    assert len(batches_read(lambda: False)) > 2
