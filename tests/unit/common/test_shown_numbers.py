"""How numbers are written for people: what is rounded, what has a sign, and what is said where nothing is known."""

import math

import numpy as np
import pytest

from quagmires.common.shown_numbers import (
    MISSING,
    amount,
    as_text,
    device_hours,
    interval,
    measured_time,
    number,
    p_value,
    planned_time,
    score,
    share,
    signed,
    size,
    with_error,
    with_interval,
)


def test_large_numbers_have_no_decimals_and_zero_has_no_sign():
    assert [number(one) for one in (0.005001, 9.99, -132.47, -12.3, 1234.5)] == ["0.01", "9.99", "-132", "-12", "1,234"]
    assert number(-0.001) == "0.00" and number(-0.4, decimals=0) == "0" and number(0.1234, decimals=3) == "0.123"
    assert signed(-0.001) == "+0.00" and signed(-1.5) == "-1.50" and signed(13.6) == "+14"


@pytest.mark.parametrize("unknown", [None, math.nan, np.float64("nan")])
def test_what_is_unknown_is_a_dash(unknown):
    forms = (number, signed, score, share, as_text)
    assert {form(unknown) for form in forms} == {MISSING}
    assert interval(unknown, unknown) == p_value(unknown, None) == MISSING
    assert with_error(unknown, 0.1) == with_interval(unknown, 0.1, 0.2) == MISSING
    # Texts that must be ASCII have their own dash.
    assert score(unknown, missing="-") == share(unknown, missing="-") == interval(unknown, 0.9, missing="-") == "-"


def test_an_unknown_error_or_interval_is_left_out():
    assert with_error(0.5, None) == with_interval(0.5, None, 0.9) == "0.50"
    assert with_error(0.4121, 0.0134, decimals=3) == "0.412 ± 0.013"
    assert with_interval(-0.2, -1.0, 0.875) == "-0.20 [-1.00, 0.88]"


def test_intervals_of_performances_are_cut_only_where_that_is_asked_for():
    assert interval(-0.05, 1.02) == "-0.050 to 1.020"
    assert interval(-0.05, 1.02, cut=True) == "0.000 to 1.000"


@pytest.mark.parametrize(("hours", "text"), [(7900, "329.2 d"), (30, "30.0 h"), (0.4, "24 min"), (0, "0")])
def test_planned_times_are_read_at_a_glance(hours, text):
    assert planned_time(hours) == text


@pytest.mark.parametrize(("seconds", "text"), [(8.4, "8 s"), (90, "1.5 min"), (180_000, "50.0 h"), (None, "–")])
def test_measured_times_are_read_at_a_glance(seconds, text):
    assert measured_time(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(24.13e12, "24.1 TB"), (5e8, "500 MB"), (10, "< 1 MB"), (0, "0")])
def test_sizes_are_read_at_a_glance(count, text):
    assert size(count) == text


def test_counts_have_separators_and_small_hours_have_decimals():
    assert (amount(999_999), amount(1_500_000), amount(2.5e9)) == ("999,999", "1.5 M", "2,500 M")
    assert (device_hours(9.5), device_hours(10.4), device_hours(0)) == ("9.50", "10", "0")


def test_values_of_any_kind_are_texts():
    assert [as_text(value) for value in ("a", True, 12345, 0.5, 1e-4, 98_765.4)] == [
        "a",
        "yes",
        "12,345",
        "0.5",
        "0.0001",
        "98,765",
    ]
