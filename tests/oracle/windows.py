#!/usr/bin/env python3
"""Compares purser's calendar windows with those that follow from Python's zoneinfo, 2000 to 2040.

    WINDOWS=build/release/tests/oracle/windows python3 tests/oracle/windows.py [--quick] [--seed N]

WINDOWS is the program made from windows.c. Of each zone every change of the clocks is compared,
some seconds before and after it, the seams of windows near it, and moments by chance. The windows
here are lists: of each day, week and month when its first local midnight or what comes after it is
reached, of each hour when the clocks first show it or are put back to it. --quick takes fewer
moments. The last line is "N passed, N failed"; N are zones.
"""

import argparse
import bisect
import datetime
import os
import random
import subprocess
import sys
import zoneinfo

ZONES = ["UTC", "Europe/Berlin", "Europe/Dublin", "Europe/Moscow", "America/New_York",
         "America/Sao_Paulo", "America/St_Johns", "America/Caracas", "America/Havana",
         "Africa/Casablanca", "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran",
         "Asia/Gaza", "Asia/Pyongyang", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia",
         "Pacific/Chatham", "Pacific/Kiritimati"]

HOUR_S, DAY_S = 3600, 86400
EPOCH = datetime.date(1970, 1, 1)


def utc_s(year, month):
    return (datetime.date(year, month, 1) - EPOCH).days * DAY_S


FROM_S, TO_S = utc_s(2000, 1), utc_s(2040, 1)
LISTED_FROM_S, LISTED_TO_S = utc_s(1999, 10), utc_s(2040, 4)


def local_date(local_s):
    return EPOCH + datetime.timedelta(days=local_s // DAY_S)


# ---- the clocks ----


def offset_at(zone, moment):
    return int(datetime.datetime.fromtimestamp(moment, zone).utcoffset().total_seconds())


def change_within(zone, before, after):
    """The first moment with another offset than `before` has, if `after` is one."""
    old = offset_at(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def spans_of(zone, step_s):
    """(start, end, offset) of the stretches without a change of the clocks."""
    spans, start, offset = [], LISTED_FROM_S, offset_at(zone, LISTED_FROM_S)
    for moment in range(LISTED_FROM_S, LISTED_TO_S, step_s):
        while offset_at(zone, moment + step_s) != offset:
            change = change_within(zone, max(moment, start), moment + step_s)
            spans.append((start, change, offset))
            start, offset = change, offset_at(zone, change)
    return spans + [(start, LISTED_TO_S, offset)]


# ---- windows: lists of (start, id), each ending where the next one starts ----


def first_at(spans, local_s):
    near = bisect.bisect_right(spans, (local_s - 3 * DAY_S,)) - 1
    for start, end, offset in spans[max(near, 0):]:
        if local_s - offset < end:
            return max(start, local_s - offset)
    return None


def listed(spans, names_of_days):
    """The last of those that begin at the same moment is the one that is seen."""
    windows = {}
    for day, name in names_of_days:
        start = first_at(spans, day * DAY_S)
        if start is not None and start > LISTED_FROM_S:
            windows[start] = name
    return sorted(windows.items())


DAYS = [(day, EPOCH + datetime.timedelta(days=day))
        for day in range(LISTED_FROM_S // DAY_S, LISTED_TO_S // DAY_S + 1)]


def list_days(spans):
    return listed(spans, [(day, date.isoformat()) for day, date in DAYS])


def list_weeks(spans):
    return listed(spans, [(day, f"{date.isocalendar()[0]:04}-W{date.isocalendar()[1]:02}")
                          for day, date in DAYS if date.weekday() == 0])


def list_months(spans):
    return listed(spans, [(day, f"{date.year:04}-{date.month:02}")
                          for day, date in DAYS if date.day == 1])


def list_hours(spans):
    """Their ids are made when they are asked for: (local hours since 1970, whether once more)."""
    windows, last, last_offset = [], None, None
    for start, end, offset in spans:
        first, after = (start + offset) // HOUR_S, -((end + offset) // -HOUR_S)
        if first != last or offset < last_offset:
            windows.append((start, (first, last is not None and first <= last)))
        windows += [(hour * HOUR_S - offset, (hour, last is not None and hour <= last))
                    for hour in range(first + 1, after)]
        last, last_offset = max(last or 0, after - 1), offset
    return windows


def name_of(window):
    if isinstance(window[1], str):
        return window[1]
    hour, again = window[1]
    return f"{local_date(hour * HOUR_S)}T{hour % 24:02}{'b' * again}"


LISTS = [list_hours, list_days, list_weeks, list_months]


# ---- comparing ----


def index_at(windows, moment):
    return bisect.bisect_right(windows, (moment + 1,)) - 1


def window_at(windows, moment):
    at = index_at(windows, moment)
    return f"{name_of(windows[at])} {windows[at][0]} {windows[at + 1][0]}"


def moments_of(spans, lists, by_chance, chance):
    moments = {FROM_S, TO_S - 1}
    near = [0, 1, 2, 59, 60, 1799, 1800, 1801, 3599, 3600, 3601, 7199, 7200, DAY_S]
    for start, _, _ in spans[1:]:
        moments.update(start + sign * seconds for seconds in near for sign in (-1, 1))
        for windows in lists:
            at = index_at(windows, start)
            for seam, _ in windows[max(at - 2, 0):at + 4]:
                moments.update((seam - 1, seam, seam + 1))
    moments.update(chance.randrange(FROM_S, TO_S) for _ in range(by_chance))
    for windows in lists:
        seams = chance.sample(windows, min(by_chance, len(windows)))
        moments.update(start + shift for start, _ in seams for shift in (-1, 0))
    return sorted(moment for moment in moments if FROM_S <= moment < TO_S)


def answers_for(name, moments):
    run = subprocess.run([os.environ["WINDOWS"], name], input="\n".join(map(str, moments)),
                         capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def is_same(name, asked):
    zone = zoneinfo.ZoneInfo(name)
    spans = spans_of(zone, DAY_S if asked.quick else HOUR_S // 2)
    lists = [make(spans) for make in LISTS]
    moments = moments_of(spans, lists, 300 if asked.quick else 20000,
                         random.Random(f"{asked.seed} {name}"))
    answers = answers_for(name, moments)
    wrong = [] if len(answers) == len(moments) else [f"{len(answers)} answers"]
    for moment, answer in zip(moments, answers):
        expected = " ".join(window_at(windows, moment) for windows in lists)
        if answer != expected:
            wrong.append(f"at {moment}\n      purser   {answer}\n      zoneinfo {expected}")
    print(f"  {'FAIL' if wrong else 'ok  '}  {name:20} {len(spans) - 1:4} changes "
          f"{len(moments):7} moments", flush=True)
    for line in wrong[:5]:
        print(f"    {line}")
    return not wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    same = [is_same(name, asked) for name in ZONES]
    print(f"{sum(same)} passed, {len(same) - sum(same)} failed")
    return not all(same)


if __name__ == "__main__":
    sys.exit(main())
