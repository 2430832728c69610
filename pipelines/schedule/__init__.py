"""AWS schedule expressions and when they fire (EventBridge Scheduler; CONTRACT.md 4.1). Pure: texts in, times out.

`parse` reads `cron(…)`, `rate(…)` and `at(…)`; `next_times` gives the times at which a schedule fires, right across
changes of the clock; `Schedule` is one schedule with nothing left open, as pipeline.yaml says it and as AWS keeps it.
"""

from __future__ import annotations

from pipelines.schedule.cron import Cron, parse_cron
from pipelines.schedule.error import ScheduleError
from pipelines.schedule.expression import At, Expression, Rate, local_time, parse, parse_at, parse_rate
from pipelines.schedule.record import Schedule, aws_name, aws_prefix, next_starts, read_time, write_time
from pipelines.schedule.times import ALWAYS, Span, instant, next_times, time_zone, times, window

__all__ = [
    "ALWAYS",
    "At",
    "Cron",
    "Expression",
    "Rate",
    "Schedule",
    "ScheduleError",
    "Span",
    "aws_name",
    "aws_prefix",
    "instant",
    "local_time",
    "next_starts",
    "next_times",
    "parse",
    "parse_at",
    "parse_cron",
    "parse_rate",
    "read_time",
    "time_zone",
    "times",
    "window",
    "write_time",
]
