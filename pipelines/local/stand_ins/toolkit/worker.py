"""`sagemaker_containers.beta.framework.worker` of AWS's images: the response that a script may answer with."""

from __future__ import annotations

from typing import Any

import flask


class Response(flask.Response):
    """Flask's response, of JSON unless it says otherwise; `accept` has no effect, as in the images."""

    default_mimetype = "application/json"

    def __init__(
        self,
        response: Any = None,
        accept: str | None = None,  # noqa: ARG002 -- the images' own
        status: int = 200,
        headers: Any = None,
        mimetype: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        super().__init__(response, status, headers, mimetype, None, direct_passthrough)
