"""Where a model's data lies."""

from __future__ import annotations

import pytest

from pipelines.local.jobs.model import s3_uri


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        (None, None),
        ("s3://models/a/model.tar.gz", "s3://models/a/model.tar.gz"),
        ("https://models.s3.eu-west-1.amazonaws.com/a/model.tar.gz", "s3://models/a/model.tar.gz"),
        ("https://my.models.s3-us-west-2.amazonaws.com/model.tar.gz", "s3://my.models/model.tar.gz"),
        ("https://models.s3.amazonaws.com/model.tar.gz", "s3://models/model.tar.gz"),
        ("https://s3.us-east-1.amazonaws.com/models/a/model.tar.gz", "s3://models/a/model.tar.gz"),
        ("https://s3-eu-west-1.amazonaws.com/models/model.tar.gz", "s3://models/model.tar.gz"),
        ("https://example.com/model.tar.gz", "https://example.com/model.tar.gz"),
    ],
)
def test_an_https_url_of_s3_is_its_uri(url: str | None, uri: str | None) -> None:
    assert s3_uri(url) == uri
