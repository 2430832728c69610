"""`sagemaker_xgboost_container.encoder` of AWS's XGBoost image: CSV and libsvm to XGBoost's matrices."""

from __future__ import annotations

import csv
import importlib
import tempfile
from typing import Any

TYPES = ("text/csv", "text/libsvm", "text/x-libsvm")


def csv_to_dmatrix(input: str | bytes, dtype: Any = float) -> Any:  # noqa: A002 -- the image's name
    """Rows of CSV without a label or a header, whatever their delimiter; an empty value is missing."""
    import numpy
    import xgboost

    text = (input.decode() if isinstance(input, bytes) else input).strip()
    delimiter = csv.Sniffer().sniff(text.partition("\n")[0][:512]).delimiter
    delimiter = "," if delimiter.isalnum() else delimiter
    rows = [[value.strip() or "nan" for value in line.split(delimiter)] for line in text.split("\n")]
    return xgboost.DMatrix(numpy.array(rows).astype(dtype or float))


def libsvm_to_dmatrix(string_like: str | bytes) -> Any:
    import xgboost

    with tempfile.NamedTemporaryFile() as file:
        file.write(string_like.encode() if isinstance(string_like, str) else string_like)
        file.flush()
        return xgboost.DMatrix(f"{file.name}?format=libsvm")


def decode(obj: Any, content_type: str) -> Any:
    """The matrix that a request's body holds; another type raises the toolkit's UnsupportedFormatError."""
    media = content_type.partition(";")[0].strip().lower()
    if media not in TYPES:
        raise importlib.import_module("sagemaker_containers.beta.framework.encoders").UnsupportedFormatError(media)
    return csv_to_dmatrix(obj) if media == "text/csv" else libsvm_to_dmatrix(obj)
