"""The report of ``make bench AGAINST=…``, from numbers: no server is measured."""

import pytest

from bench import batches, compare
from bench.batches import Figure
from bench.page import plain, replaced
from harness.progress import HarnessError


def test_both_sides_run_in_turn_and_each_comes_first_as_often():
    turns = compare.turns(4, ["reserve", "preview", "confirm"])
    for row in ("reserve", "preview", "confirm"):
        first = [order[0] for _, name, order in turns if name == row]
        assert first.count("before") == first.count("after") == 2, "an even number of rounds favours neither side"
        assert len(set(zip(first, first[1:], strict=False))) == 2, "the sides change places from round to round"
    assert [order for _, _, order in turns[:3]] == [compare.SIDES, compare.SIDES[::-1], compare.SIDES]


def test_a_ratio_is_of_one_round_so_that_drift_of_the_machine_cancels():
    # The machine loses half its speed from round to round; the later revision is always 10 % slower.
    rounds = {
        "before": [Figure(1000, 100), Figure(500, 200), Figure(250, 400)],
        "after": [Figure(900, 110), Figure(450, 220), Figure(225, 440)],
    }
    (title, rate), (_, cpu) = compare.tables({"throughput": {"reserve": rounds}})
    assert title == "Calls, or slots, a second"
    assert rate == [compare.HEAD, ["reserve", "500", "450", "0.900", "0.900", "0.900"]]
    assert cpu[1] == ["reserve", "200", "220", "1.100", "1.100", "1.100"]


def test_the_spread_is_the_least_and_the_most_of_the_rounds():
    rounds = {"before": [Figure(100, 10)] * 3, "after": [Figure(98, 10), Figure(101, 11), Figure(99, 9)]}
    (_, rate), (_, cpu) = compare.tables({"batches": {"dispatch(10)": rounds}})
    assert rate[1][3:] == ["0.990", "0.980", "1.010"]
    assert cpu[1][3:] == ["1.000", "0.900", "1.100"]


def test_instructions_have_no_spread_and_need_no_rates():
    ((title, rows),) = compare.tables({"instructions": {"reserve": {"before": 380_000, "after": 383_800}}})
    assert title == "Server's instructions"
    assert rows == [compare.HEAD[:-2], ["reserve", "380,000", "383,800", "1.010"]]
    assert "reserve" in plain(rows)


def test_the_compared_part_of_the_page_is_replaced_and_nothing_else():
    page = "a\n<!-- b -->\nold\n<!-- e -->\nz\n"
    assert replaced(page, ("<!-- b -->", "<!-- e -->"), "new") == "a\n<!-- b -->\n\nnew\n\n<!-- e -->\nz\n"
    for lost in ("a\n<!-- e -->", "<!-- b -->\na"):
        with pytest.raises(HarnessError, match="lacks the markers"):
            replaced(lost, ("<!-- b -->", "<!-- e -->"), "new")


def test_a_batch_is_told_its_size_by_its_name():
    assert {batches.size_of(name) for name in batches.scripts()} == set(batches.SIZES)
