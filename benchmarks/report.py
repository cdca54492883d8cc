"""The report: ratios first, then what they are made of, and pictures of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pictures import bars, lines

FORMS = ("json", "stream")
CLIENTS = (1, 10, 100)
TARGETS = {
    "passthrough": "bare asyncio passthrough",
    "provider": "product, Mistral's SDK and the stand-in provider",
    "embedded": "product, embedded default (no provider)",
}


def write(figures: Mapping[str, Any], folder: Path) -> str:
    """Write report.md and its pictures into `folder`; the report's text."""
    messages = figures["messages"]
    costs = {
        TARGETS[name]: [messages[f"{name} {form} {n}"]["cpu_ms"] for form in FORMS for n in CLIENTS]
        for name in TARGETS
    }
    labels = [f"{form} {n}" for form in FORMS for n in CLIENTS]
    title = "CPU ms a message, by form and clients"
    (folder / "cpu.svg").write_text(bars(title, labels, costs))
    search = {
        "search": [(row["chunks"], row["p50_cpu_ms"]) for row in figures["search"]],
        "one read of the vectors": [(row["chunks"], row["floor_ms"]) for row in figures["search"]],
    }
    (folder / "search.svg").write_text(lines("CPU ms a search, by chunks", search))
    text = "\n".join([*_ratios(figures), *_messages(messages), *_rest(figures)]) + "\n"
    (folder / "report.md").write_text(text, encoding="utf-8")
    return text


def _ratios(figures: Mapping[str, Any]) -> list[str]:
    messages, start, streams = figures["messages"], figures["start"], figures["streams"]
    sdk = messages["sdk"]["cpu_ms"]
    rows: list[tuple[str, float, str, str]] = []
    for form in FORMS:
        ours, floor = (messages[f"{name} {form} 10"] for name in ("provider", "passthrough"))
        rows.append(
            (f"CPU a message, {form}, 10 clients", ours["cpu_ms"] / floor["cpu_ms"], "x", "8")
        )
        without = (ours["cpu_ms"] - sdk) / floor["cpu_ms"]
        rows.append(("… without the SDK's own share", without, "x", ""))
    for form in FORMS:
        ours, floor = (messages[f"{name} {form} 10"] for name in ("embedded", "passthrough"))
        ratio = ours["cpu_ms"] / floor["cpu_ms"]
        rows.append((f"CPU a message, {form}, embedded default, 10 clients", ratio, "x", "8"))
    for name in ("provider", "embedded"):
        ours, floor = (messages[f"{one} first 10"] for one in (name, "passthrough"))
        ratio = ours["cpu_ms"] / floor["cpu_ms"]
        rows.append((f"the first 60 messages of a process, json, {name}", ratio, "x", ""))
    for form in FORMS:
        ours, floor = (messages[f"{name} {form} 100"] for name in ("provider", "passthrough"))
        rows.append((f"p50, 100 clients, {form}", ours["p50"] / floor["p50"], "x", "1.15"))
        rows.append((f"p95, 100 clients, {form}", ours["p95"] / floor["p95"], "x", "1.5"))
    errors = sum(row.get("errors", 0) for row in messages.values())
    rows.append(("errors", errors + streams["count"] - streams["whole"], "", "0"))
    rows.append(("idle", start["untouched_mb"], " MB", "130"))
    rows.append(("idle after the first answer", start["idle_mb"], " MB", ""))
    rows.append(("start to first answer", start["answered"], " s", "3"))
    rows.append((f"{streams['count']} streams open", streams["peak_mb"], " MB", "400"))
    for row in figures["search"]:
        ratio = row["p50_cpu_ms"] / row["floor_ms"]
        rows.append((f"search of {row['chunks']:,} chunks / reading them once", ratio, "x", "3"))
    ingestion = figures["ingestion"]
    calls, reading = (
        ingestion[name] * 100 / ingestion["seconds"] for name in ("embedder", "reading")
    )
    rows.append(("ingestion's time inside the embedder", calls + reading, " %", "at least 60"))
    rows.append(("… without the one reading of its files", calls, " %", ""))
    return [
        "# Benchmark",
        "",
        _circumstances(figures),
        "",
        "## Ratios and budgets",
        "",
        *table(
            ("what", "measured", "budget", ""),
            [
                (what, f"{value:.2f}{unit}", limit, _verdict(value, limit))
                for what, value, unit, limit in rows
            ],
        ),
        "",
    ]


def _circumstances(figures: Mapping[str, Any]) -> str:
    load = " to ".join(map(str, figures["load"]))
    return (
        f"{figures['rounds']} interleaved rounds, {figures['cores']} cores, load {load}, "
        f"{figures.get('seconds', 0):.0f} s in all. Rerun: `make bench`."
    )


def _verdict(value: float, limit: str) -> str:
    if not limit:
        return ""
    number = float(limit.split()[-1])
    met = value >= number if limit.startswith("at least") else value <= number
    return "met" if met else "missed"


def _messages(messages: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, words in TARGETS.items():
        for form in FORMS:
            for clients in CLIENTS:
                row = messages[f"{name} {form} {clients}"]
                seconds = (f"{row[key] * 1000:.0f}" for key in ("first", "p50", "p95", "p99"))
                rows.append(
                    (words, form, clients, f"{row['cpu_ms']:.2f}", *seconds,
                     f"{row['per_second']:.0f}", row["errors"])
                )  # fmt: skip
    head = (
        *("target", "form", "clients", "CPU ms", "first token ms", "p50 ms", "p95 ms", "p99 ms"),
        *("messages/s", "errors"),
    )
    return ["## Messages", "", "![](cpu.svg)", "", *table(head, rows), ""]


def _rest(figures: Mapping[str, Any]) -> list[str]:
    start, streams, ingestion = figures["start"], figures["streams"], figures["ingestion"]
    rows = [
        ("queries a message", f"{figures['queries']['queries']:.0f}"),
        ("the SDK's share of a message, CPU ms", f"{figures['messages']['sdk']['cpu_ms']:.2f}"),
        ("start to healthy, s", f"{start['live']:.2f}"),
        ("start to first answer, s", f"{start['answered']:.2f}"),
        ("idle, MB", f"{start['untouched_mb']:.0f}"),
        ("idle after the first answer, MB", f"{start['idle_mb']:.0f}"),
        ("after twenty more, MB", f"{start['used_mb']:.0f}"),
        (f"{streams['count']} streams, MB at the peak", f"{streams['peak_mb']:.0f}"),
        (f"{streams['count']} streams, CPU ms each", f"{streams['cpu_ms']:.1f}"),
        ("streams that ended whole", f"{streams['whole']}"),
        ("ingestion, s", f"{ingestion['seconds']:.2f}"),
        ("ingestion, chunks/s", f"{ingestion['chunks'] / ingestion['seconds']:.0f}"),
        ("… statements a document", f"{ingestion['statements']:.1f}"),
        ("… durable commits a document", f"{ingestion['commits']:.1f}"),
    ]
    for name, row in figures["insert"].items():
        found = f"{row['ms']:.2f} ({row['cpu_ms']:.2f} CPU)" if row else "not reached"
        rows.append((f"one durable insert, {name}, ms", found))
    search = [
        (f"{row['chunks']:,}", row["p50_ms"], row["p50_cpu_ms"], row["p95_ms"],
         f"{row['floor_ms']:.2f}", row["bytes_a_chunk"])
        for row in figures["search"]
    ]  # fmt: skip
    head = ("chunks", "p50 ms", "CPU ms", "p95 ms", "floor, CPU ms", "bytes a chunk")
    return [
        *("## The rest", "", *table(("what", "measured"), rows), ""),
        *("## Search by size", "", "![](search.svg)", "", *table(head, search)),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table's lines."""
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
