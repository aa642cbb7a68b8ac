"""Numbers as people read them, in tables, decisions, plans and the report: one function for each kind of number.

What is not known (None or NaN) is a dash. Texts that must be ASCII give their own dash as `missing`. Libraries such as
humanize and uncertainties round by rules of their own; here numbers must look as the paper's do.
"""

import math
from collections.abc import Sequence

MISSING = "–"
# The largest first.
_BYTES = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6))


def number(value: float | None, decimals: int = 2) -> str:
    """A number as the paper rounds it, never a negative zero, without false precision where it is large.

    >>> [number(value) for value in (0.934, -0.004, -132.47, -123456.7, float("nan"), None, -3.2e9)]
    ['0.93', '0.00', '-132', '-123,457', '–', '–', '-3e+09']
    """
    if value is None or math.isnan(value):
        return MISSING
    if abs(value) >= 1e6:
        return f"{value:.0e}"
    text = f"{value:,.0f}" if abs(value) >= 10 else f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def signed(value: float | None, decimals: int = 2) -> str:
    """A difference with its sign.

    >>> signed(0.221), signed(-0.05), signed(-0.001), signed(None)
    ('+0.22', '-0.05', '+0.00', '–')
    """
    text = number(value, decimals)
    return text if text.startswith(("-", MISSING)) else f"+{text}"


def with_error(value: float | None, error: float | None, decimals: int = 2) -> str:
    """A value and its standard error or deviation; the value alone where the error is not known.

    >>> with_error(0.571, 0.288), with_error(0.571, None), with_error(None, 0.1)
    ('0.57 ± 0.29', '0.57', '–')
    """
    texts = number(value, decimals), number(error, decimals)
    return texts[0] if MISSING in texts else " ± ".join(texts)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A value and its interval; the value alone where the interval is not known.

    >>> with_interval(0.75, 0.42, 0.93), with_interval(0.75, None, None)
    ('0.75 [0.42, 0.93]', '0.75')
    """
    texts = number(value), number(low), number(high)
    return texts[0] if MISSING in texts else "{} [{}, {}]".format(*texts)


def p_value(value: float | None, exact: bool | None) -> str:
    """A p value, with a mark where it is exact and not drawn.

    >>> p_value(0.04317, False), p_value(0.00005, False), p_value(0.0167, True), p_value(None, None)
    ('0.043', '<0.001', '0.017 (exact)', '–')
    """
    if value is None or math.isnan(value):
        return MISSING
    return ("<0.001" if value < 0.001 else f"{value:.3f}") + (" (exact)" if exact is True else "")


def score(value: float | None, missing: str = MISSING) -> str:
    """A performance or a loss: three decimals, as models of a study differ by little.

    >>> score(0.5), score(None), score(None, missing="-")
    ('0.500', '–', '-')
    """
    return missing if value is None or math.isnan(value) else f"{value:.3f}"


def score_with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A performance and its interval; the value alone where the interval is not known.

    >>> score_with_interval(0.5, 0.4881, 0.512), score_with_interval(0.5, None, None)
    ('0.500 [0.488, 0.512]', '0.500')
    """
    texts = score(value), score(low), score(high)
    return texts[0] if MISSING in texts else "{} [{}, {}]".format(*texts)


def points(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A difference of performances in points, hundredths of it, with its interval where that is known.

    >>> points(0.0124, 0.0, 0.0251), points(0.0124), points(None), points(-0.0001)
    ('1.2 [0.0, 2.5]', '1.2', '–', '0.0')
    """
    texts = [MISSING if one is None or math.isnan(one) else number(100 * one, 1) for one in (value, low, high)]
    return texts[0] if MISSING in texts else "{} [{}, {}]".format(*texts)


def ordinal(place: int) -> str:
    """
    >>> ordinal(1), ordinal(2), ordinal(3), ordinal(4), ordinal(11), ordinal(22)
    ('1st', '2nd', '3rd', '4th', '11th', '22nd')
    """
    ending = "th" if place // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` by name, the others counted.

    >>> listed(["a"], 3), listed(["a", "b"], 3), listed(["a", "b", "c", "d", "e"], 3)
    ('a', 'a and b', 'a, b, c and 2 others')
    """
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} other{'s' if len(names) > most + 1 else ''}")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def share(value: float | None, missing: str = MISSING) -> str:
    """A share or a chance in percent.

    >>> share(0.424), share(float("nan"))
    ('42%', '–')
    """
    return missing if value is None or math.isnan(value) else f"{value:.0%}"


def interval(low: float | None, high: float | None, cut: bool = False, missing: str = MISSING) -> str:
    """From where to where; `cut` at 0 and 1, between which a performance must lie.

    >>> interval(-0.1, 0.2), interval(-0.1, 0.2, cut=True), interval(None, None)
    ('-0.100 to 0.200', '0.000 to 0.200', '–')
    """
    if low is None or high is None or math.isnan(low):
        return missing
    return f"{max(low, 0.0):.3f} to {min(high, 1.0):.3f}" if cut else f"{low:.3f} to {high:.3f}"


def amount(count: float) -> str:
    """A count of tokens, steps or responses: with thousands separators, from a million on in millions.

    >>> amount(124954160000), amount(6158000), amount(182328)
    ('124,954 M', '6.2 M', '182,328')
    """
    return f"{count / 1e6:,.{count < 1e8:d}f} M" if count >= 1e6 else f"{count:,.0f}"


def device_hours(count: float) -> str:
    """Hours of a device: whole ones, below ten with two decimals.

    >>> device_hours(12345.6), device_hours(3.14159), device_hours(0)
    ('12,346', '3.14', '0')
    """
    return f"{count:,.0f}" if count >= 10 or count == 0 else f"{count:.2f}"


def planned_time(hours: float) -> str:
    """A time that is estimated, in hours: as days, hours or whole minutes.

    >>> planned_time(7900), planned_time(30), planned_time(0.4), planned_time(0)
    ('329.2 d', '30.0 h', '24 min', '0')
    """
    if hours >= 48:
        return f"{hours / 24:,.1f} d"
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours else "0"


def measured_time(seconds: float | None) -> str:
    """A time that was measured, in seconds: as hours, minutes or whole seconds.

    >>> measured_time(8), measured_time(140), measured_time(30_000), measured_time(None)
    ('8 s', '2.3 min', '8.3 h', '–')
    """
    if seconds is None:
        return MISSING
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a number of at least one.

    >>> size(24.13e12), size(5e8), size(0)
    ('24.1 TB', '500 MB', '0')
    """
    for name, scale in _BYTES:
        if count >= scale:
            return f"{count / scale:,.1f} {name}" if name == "TB" else f"{count / scale:,.0f} {name}"
    return "0" if count == 0 else "< 1 MB"


def as_text(value: object) -> str:
    """A value of any kind, as it stands in a table that is shown as it is stored.

    >>> as_text(1234567), as_text(0.25), as_text(float("nan")), as_text(True), as_text(2e-5), as_text(1500.2)
    ('1,234,567', '0.25', '–', 'yes', '2e-05', '1,500')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
