"""deploy/nginx/docent.conf in the real nginx: TLS, redirects, limits, streams as they come."""

import asyncio
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "deploy" / "nginx" / "docent.conf"
SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
NGINX = shutil.which("nginx", path=SBIN)

pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx on this machine")

MAIN = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn; user {user};
events {{ worker_connections 128; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/docent.conf;
}}
"""


class Upstream:
    """Stands where Docent does: echoes the request's headers, and streams two events by hand."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/release":
            self.released.set()
        if scope["path"] == "/api/chat/stream/":
            await self.stream(send)
            return
        size = await body_size(receive)
        seen = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = json.dumps({"headers": seen, "size": size}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def stream(self, send: Any) -> None:
        """The second event goes out only once somebody has asked for /release."""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: one\n\n", "more_body": True})
        await self.released.wait()
        await send({"type": "http.response.body", "body": b"data: two\n\n"})


async def body_size(receive: Any) -> int:
    """How many bytes the client sent."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return size


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """Where nginx listens, and clients for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.https, self.upstream = free_port(), free_port(), free_port()

    def get(self, path: str, **more: Any) -> http.client.HTTPResponse:
        """An HTTPS request, answered; `method`, `body` and `headers` as http.client has them."""
        context = ssl._create_unverified_context()
        client = http.client.HTTPSConnection("127.0.0.1", self.https, timeout=10, context=context)
        headers = {"Host": "docent.example"} | more.pop("headers", {})
        client.request(more.pop("method", "GET"), path, headers=headers, **more)
        return client.getresponse()

    def write(self) -> None:
        """The shipped file, with this machine's ports and paths in place of a server's."""
        make_certificate(self.folder)
        text = CONFIGURATION.read_text()
        text = re.sub(r"\n\s*listen \[::\][^;]*;", "", text)
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.http};")
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{self.https} ssl")
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.upstream}")
        text = text.replace("/etc/ssl/docent/", f"{self.folder}/")
        text = text.replace("/var/log/nginx/", f"{self.folder}/")
        (self.folder / "docent.conf").write_text(text)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
        main = MAIN.format(folder=self.folder, user=user.strip())
        (self.folder / "nginx.conf").write_text(main)

    def start_upstream(self) -> None:
        """Put the stand-in where the configuration looks for Docent."""
        options = uvicorn.Config(Upstream(), port=self.upstream, log_level="error", lifespan="off")
        self.server = uvicorn.Server(options)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def stop_upstream(self) -> None:
        """Take it away."""
        self.server.should_exit = True
        self.thread.join(timeout=10)

    def command(self, *arguments: str) -> list[str]:
        """nginx with this configuration."""
        return [str(NGINX), "-e", "stderr", "-c", f"{self.folder}/nginx.conf", *arguments]


def make_certificate(folder: Path) -> None:
    """A key and a certificate for docent.example, signed by themselves."""
    names = ["-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem"]
    subject = ["-subj", "/CN=docent.example", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *subject, *names], check=True, capture_output=True)


def wait_for(port: int) -> None:
    """Return once somebody listens on `port`."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """nginx with the shipped configuration, before an upstream that shows what it gets."""
    site = Site(tmp_path_factory.mktemp("nginx"))
    site.write()
    site.start_upstream()
    nginx = subprocess.Popen(site.command())
    try:
        wait_for(site.https)
        wait_for(site.upstream)
        yield site
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)
        site.stop_upstream()


def test_nginx_finds_no_fault_in_the_file(site: Site) -> None:
    done = subprocess.run(site.command("-t"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_plain_http_is_sent_to_https_with_its_method(site: Site) -> None:
    client = http.client.HTTPConnection("127.0.0.1", site.http, timeout=10)
    client.request("POST", "/api/auth/login/?a=b", headers={"Host": "docent.example"})
    answer = client.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == "https://docent.example/api/auth/login/?a=b"


def test_what_a_client_claims_of_itself_is_replaced(site: Site) -> None:
    claims = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http"}
    seen = json.load(site.get("/api/rag/search/", headers=claims))["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["host"] == "docent.example"
    assert seen["connection"] == "close"


def test_events_pass_through_as_they_come(site: Site) -> None:
    answer = site.get("/api/chat/stream/")
    # The upstream sends the second only after this line was read here: buffered, it never would.
    assert answer.readline() == b"data: one\n"
    site.get("/release").read()
    assert b"data: two" in answer.read()


def test_body_above_the_limit_is_refused_before_the_application(site: Site) -> None:
    answer = site.get("/api/rag/index/", method="POST", body=b"x" * 13_000_000)
    assert answer.status == 413
    assert json.load(answer)["code"] == "too_large"


def test_document_of_the_allowed_size_gets_through(site: Site) -> None:
    answer = site.get("/api/rag/index/", method="POST", body=b"x" * 10_500_000)
    assert json.load(answer)["size"] == 10_500_000


def test_metrics_are_not_public(site: Site) -> None:
    assert site.get("/metrics").status == 404


def test_access_log_holds_no_query_and_no_token(site: Site) -> None:
    site.get("/api/auth/verify-email/secret-token-1/?next=secret-2").read()
    site.get("/api/chat/search/?q=secret-3").read()
    log = site.folder / "docent.log"
    deadline = time.monotonic() + 10
    while "/api/chat/search/" not in log.read_text():
        assert time.monotonic() < deadline
    assert "secret" not in log.read_text()
    assert '"path":"/api/auth/verify-email/"' in log.read_text()


def test_server_that_is_away_is_a_problem_with_a_time_to_wait(site: Site) -> None:
    # The last test of this file: it takes the upstream away.
    site.stop_upstream()
    answer = site.get("/api/chat/sessions/")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert json.load(answer)["code"] == "unavailable"
