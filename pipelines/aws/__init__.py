"""The only door to boto3: AWS's operations as this package uses them, a module a service, and AWS's errors as ours.

Takes a `Target` (and, for the local SageMaker, its endpoint); gives a `Gateway`. Every error leaves here as `AwsError`.
"""

from __future__ import annotations

from pipelines.aws.ecr import Images
from pipelines.aws.errors import EXPIRED, TRANSIENT, translated
from pipelines.aws.events import Events
from pipelines.aws.executions import Executions
from pipelines.aws.iam import Roles
from pipelines.aws.logs import Logs
from pipelines.aws.pipelines import MAX_INLINE_DEFINITION
from pipelines.aws.s3 import Objects
from pipelines.aws.session import Endpoint, Json

__all__ = ["EXPIRED", "MAX_INLINE_DEFINITION", "TRANSIENT", "Endpoint", "Gateway", "Json", "translated"]


class Gateway(Objects, Images, Executions, Roles, Events, Logs):
    """All that is asked of AWS, for one environment."""
