"""Logs of jobs, in CloudWatch."""

from __future__ import annotations

from pipelines.aws.session import Json, Session
from pipelines.errors import AwsError


class Logs(Session):
    """Log groups, streams and events."""

    def log_streams(self, group: str, prefix: str) -> list[str]:
        """The names of a log group's streams that begin with `prefix`; none when there is no such group."""
        action, request = f"list the logs of {prefix}", {"logGroupName": group, "logStreamNamePrefix": prefix}
        try:
            streams = self._items("logs", "describe_log_streams", "logStreams", action, **request)
            return [str(stream["logStreamName"]) for stream in streams]
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return []
            raise

    def log_events(self, group: str, stream: str, token: str | None) -> tuple[list[Json], str]:
        """A page of a stream's events from a token on, and the token of what comes next."""
        request: Json = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if token:
            request["nextToken"] = token
        with self._translated(f"read the log {stream}"):
            answer = self._client("logs").get_log_events(**request)
        return list(answer["events"]), str(answer["nextForwardToken"])
