"""SendPipelineExecutionStepSuccess and …Failure: the token of a Callback step comes back (CONTRACT.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.local.api.protocol import ApiError, Json, Operation, invalid, not_found
from pipelines.local.api.tokens import answered, once
from pipelines.local.database import Database
from pipelines.local.steps.callback import Callback, UnknownTokenError, UsedTokenError
from pipelines.local.steps.outputs import OutputError


@dataclass(frozen=True)
class CallbackApi:
    """Operations on callback steps that wait."""

    callbacks: Callback
    database: Database

    def operations(self) -> dict[str, Operation]:
        return {
            "SendPipelineExecutionStepSuccess": self.succeed,
            "SendPipelineExecutionStepFailure": self.fail,
        }

    def succeed(self, request: Json) -> Json:
        values = {item["Name"]: item["Value"] for item in request.get("OutputParameters") or []}
        return self._send("Success", request, lambda token: self.callbacks.succeed(token, values))

    def fail(self, request: Json) -> Json:
        reason = request.get("FailureReason", "")
        return self._send("Failure", request, lambda token: self.callbacks.fail(token, reason))

    def _send(self, verb: str, request: Json, act: Callable[[str], None]) -> Json:
        token = request["CallbackToken"]
        key = f"SendPipelineExecutionStep{verb}/{token}"
        try:
            answer = {"PipelineExecutionArn": self.callbacks.execution(token)}
            # The client's token is asked before, and kept after: an event may not be posted inside a transaction.
            if answered(self.database, key, request) is None:
                act(token)
        except UnknownTokenError as error:
            raise not_found(f"Callback token {error} does not exist") from error
        except UsedTokenError as error:
            raise ApiError("ConflictException", f"Callback token {error} was used, or its step is over") from error
        except OutputError as error:
            raise invalid(str(error)) from error
        return once(self.database, key, request, lambda: answer)
