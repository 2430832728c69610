"""How many steps of a pipeline run at once, where pipeline.yaml says nothing."""

from __future__ import annotations

from typing import Final

from pipelines.plan.desired import Desired
from pipelines.plan.live import LivePipeline

ENOUGH: Final = 55  # the largest limit that is known to be accepted (CONTRACT.md section 2)


def parallelism(desired: Desired, live: LivePipeline | None) -> int | None:
    """The limit that the pipeline will have: UpdatePipeline keeps the old one where the field is left out, and takes no
    empty one. So a limit that pipeline.yaml no longer names is raised until it holds nothing up.
    """
    if desired.parallelism is not None or live is None or live.parallelism is None:
        return desired.parallelism
    return max(live.parallelism, ENOUGH, len(list(desired.definition.all_steps())))
