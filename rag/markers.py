"""The markers [1] in an answer: those that point nowhere never reach the client."""

import re
from bisect import bisect_right

MARKER = re.compile(r"\[(\d{1,2}(?:[ ]?,[ ]?\d{1,2}){0,9})\]")
# What may still become a marker when more text comes.
_UNFINISHED = re.compile(r"[ ]?(?:\[[\d, ]{0,40})?\Z")
_WITH_BLANK = re.compile(rf"[ ]?{MARKER.pattern}")


class MarkerFilter:
    """Passes an answer's text on as it comes, without markers beyond `count` sources."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._held = ""
        self._taken = 0
        # Where something was cut: offset in the raw text, and how much by then.
        self._cuts: list[tuple[int, int]] = []

    def feed(self, text: str) -> str:
        """What can be said of the text so far."""
        text = self._held + text
        if "[" not in text and not text.endswith(" "):
            self._held = ""
            self._taken += len(text)
            return text
        unfinished = _UNFINISHED.search(text)
        keep = unfinished.start() if unfinished else len(text)
        self._held = text[keep:]
        return self._clean(text[:keep])

    def finish(self) -> str:
        """What was held back."""
        text, self._held = self._held, ""
        return self._clean(text)

    def clean_offset(self, raw: int) -> int:
        """Where an offset of the raw text lies in what was passed on."""
        index = bisect_right(self._cuts, (raw, 1 << 60)) - 1
        return raw - (self._cuts[index][1] if index >= 0 else 0)

    def _clean(self, text: str) -> str:
        parts, last = [], 0
        for match in _WITH_BLANK.finditer(text):
            numbers = [int(number) for number in match[1].split(",")]
            good = [number for number in numbers if 1 <= number <= self.count]
            if len(good) == len(numbers):
                continue
            parts.append(text[last : match.start()])
            if good:
                blank = " " if match[0].startswith(" ") else ""
                parts.append(f"{blank}[{', '.join(map(str, good))}]")
            self._cut(self._taken + match.end(), len(match[0]) - (len(parts[-1]) if good else 0))
            last = match.end()
        parts.append(text[last:])
        self._taken += len(text)
        return "".join(parts)

    def _cut(self, raw: int, length: int) -> None:
        before = self._cuts[-1][1] if self._cuts else 0
        self._cuts.append((raw, before + length))
