"""A real Chromium for the tests that look at pages; they are skipped where there is none."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No name resolves: what a page asks of any other host fails and is seen.
ONLY_HERE = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
ARGUMENTS = ["--no-sandbox", f"--host-resolver-rules={ONLY_HERE}"]


class Chromium:
    """Opens pages in a thread of its own: Playwright's loop would be in the ORM's way here."""

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._playwright, self._browser = self._thread.submit(_launch, path).result()

    def visit(self, url: str, look: Callable[["Visit"], None], **context: Any) -> None:
        """Open `url` in a fresh context and hand the page to `look`, which asserts."""
        self._thread.submit(self._visit, url, look, context).result(timeout=60)

    def _visit(self, url: str, look: Callable[["Visit"], None], context: Any) -> None:
        opened = self._browser.new_context(**context)
        try:
            look(Visit(opened.new_page(), url))
        finally:
            opened.close()

    def close(self) -> None:
        """End the browser and its thread."""
        self._thread.submit(self._browser.close).result()
        self._thread.submit(self._playwright.stop).result()
        self._thread.shutdown()


def _launch(path: str) -> tuple[Playwright, Browser]:
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A browser that can reach this machine alone."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: the pages were not looked at")
    browser = Chromium(path)
    yield browser
    browser.close()


class Visit:
    """A page with what it asked for, what it said on its console, and its errors."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.answered: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.errors: list[str] = []
        page.on("response", lambda response: self.answered.append(response.url))
        page.on("requestfailed", lambda it: self.failed.append((it.url, it.failure or "")))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url, wait_until="networkidle")

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        root = "document.documentElement"
        return bool(self.page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))
