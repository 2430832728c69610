"""A plan and what it says: frozen values, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.plan.actions import Action
from pipelines.plan.live import Needs

Symbol = Literal["+", "~", "-"]
Effect = Literal["runs again", "never hits", "first run", "kept"]


@dataclass(frozen=True)
class FieldChange:
    """A field in pipeline.yaml's words; None on the side where it is not."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Change:
    """Something added (+), changed (~) or removed (-): a step, a parameter, a schedule … and which of its fields."""

    symbol: Symbol
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class CacheEffect:
    """What becomes of a cached step's earlier result, and why."""

    step: str
    effect: Effect
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a reader of the plan should know besides its changes."""

    drift: tuple[str, ...] = ()
    caches: tuple[CacheEffect, ...] = ()
    running: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Actions in the order of execution, and what they were made from.

    `definition` is the text that CreatePipeline and UpdatePipeline carry. `fingerprints[n]` is that of the live state
    after the first n actions, so an interrupted deployment is told from a world that has moved. `halfway` has those
    that an action (by its number) leaves when it is interrupted between two of its requests.
    """

    pipeline: str
    environment: str
    account: str
    region: str
    definition: str
    actions: tuple[Action, ...]
    changes: tuple[Change, ...]
    facts: Facts
    fingerprints: tuple[str, ...]
    halfway: Mapping[str, int]
    needs: Needs


def exit_code(plan: Plan) -> int:
    """Terraform's: 0 nothing to do, 2 changes."""
    return 2 if plan.actions else 0
