"""The benchmark's arithmetic and pictures."""

from xml.etree import ElementTree

from benchmarks.messages import Sample, merge, percentile
from benchmarks.pictures import bars, lines
from benchmarks.report import table


def test_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.99) == 2.0


def test_rounds_merge_to_medians_of_cost_and_all_of_the_times() -> None:
    rounds = [
        Sample(totals=[1.0, 1.0], firsts=[0.5, 0.5], cpu_ms=cost, seconds=2.0)
        for cost in (1.0, 9.0, 2.0)
    ]

    merged = merge(rounds)

    assert merged["cpu_ms"] == 2.0
    assert merged["messages"] == 6
    assert merged["per_second"] == 1.0


def test_pictures_are_well_formed() -> None:
    picture = bars("a < b", ["x", "y"], {"one & two": [1.0, 2.0]})
    curve = lines("c", {"n": [(1_000, 0.1), (10_000, 1.0)]})

    assert len(ElementTree.fromstring(picture).findall("{*}rect")) == 4
    assert len(ElementTree.fromstring(curve).findall("{*}polyline")) == 1


def test_table_has_a_line_for_its_head_its_rule_and_each_row() -> None:
    assert table(("a", "b"), [(1, 2)]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
