"""What a deployment would change, as data: desired + live → a frozen `Plan` of actions and facts. Pure.

`desired` states what pipeline.yaml says for an environment; `needs` and `read_live` ask the live side (a `Remote`);
`plan` compares. `render` shows a plan, `dump` and `load` keep it, `remaining` says what is left of it to do. Rollback
and promotion make a `Desired` of their own, planned like any other.
"""

from __future__ import annotations

from pipelines.plan.actions import (
    Action,
    CreatePipeline,
    DeleteNotification,
    DeleteSchedule,
    EnsureImage,
    MakeBucket,
    PutNotification,
    PutSchedule,
    TagPipeline,
    UntagPipeline,
    UpdatePipeline,
    UploadFile,
    WriteRecord,
    in_words,
)
from pipelines.plan.desired import Desired, Image, Upload, bare, desired
from pipelines.plan.difference import definition_changes
from pipelines.plan.facts import drift
from pipelines.plan.live import (
    Live,
    LiveNotification,
    LivePipeline,
    LiveSchedule,
    Needs,
    Object,
    Remote,
    Running,
    fingerprint,
    read_live,
)
from pipelines.plan.model import CacheEffect, Change, Facts, FieldChange, Plan, exit_code
from pipelines.plan.planner import needs, plan
from pipelines.plan.promotion import promoted
from pipelines.plan.record import Record, known_record, read_record, record_key
from pipelines.plan.render import change_lines, render
from pipelines.plan.rollback import Version, earlier, rolled_back
from pipelines.plan.saved import dump, load, remaining, to_json

__all__ = [
    "Action",
    "CacheEffect",
    "Change",
    "CreatePipeline",
    "DeleteNotification",
    "DeleteSchedule",
    "Desired",
    "EnsureImage",
    "Facts",
    "FieldChange",
    "Image",
    "Live",
    "LiveNotification",
    "LivePipeline",
    "LiveSchedule",
    "MakeBucket",
    "Needs",
    "Object",
    "Plan",
    "PutNotification",
    "PutSchedule",
    "Record",
    "Remote",
    "Running",
    "TagPipeline",
    "UntagPipeline",
    "UpdatePipeline",
    "Upload",
    "UploadFile",
    "Version",
    "WriteRecord",
    "bare",
    "change_lines",
    "definition_changes",
    "desired",
    "drift",
    "dump",
    "earlier",
    "exit_code",
    "fingerprint",
    "in_words",
    "known_record",
    "load",
    "needs",
    "plan",
    "promoted",
    "read_live",
    "read_record",
    "record_key",
    "remaining",
    "render",
    "rolled_back",
    "to_json",
]
