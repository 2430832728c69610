"""`encoders` (or `encoder` and `decoder`) of AWS's serving toolkits: arrays to and from CSV, JSON and NPY."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"


class UnsupportedFormatError(Exception):
    """A content type that is not read or written without a function of the script's own."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework: write an input_fn or output_fn"
        )


def csv_to_numpy(string_like: str, dtype: Any = None) -> Any:
    """Rows of CSV without a header. One row alone is an array of one dimension; what is no number stays text."""
    import numpy

    rows = list(csv.reader(io.StringIO(string_like), strict=True))
    array = numpy.array(rows).squeeze()
    try:
        return array.astype(dtype)
    except ValueError:
        if dtype is not None:
            raise
        return array


def json_to_numpy(string_like: str, dtype: Any = None) -> Any:
    import numpy

    return numpy.array(json.loads(string_like), dtype=dtype)


def npy_to_numpy(npy_array: bytes) -> Any:
    """Numbers alone: arrays of objects are pickles, and refused."""
    import numpy

    return numpy.load(io.BytesIO(npy_array), allow_pickle=False)


def array_to_csv(array_like: Any) -> str:
    """A line for each row; of an array of one dimension, for each value."""
    import numpy

    array = numpy.array(array_like)
    if array.ndim < 2:
        array = array.reshape(-1, 1)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", strict=True).writerows(array)
    return stream.getvalue()


def array_to_json(array_like: Any) -> str:
    return json.dumps(array_like, default=_listed)


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON")


def array_to_npy(array_like: Any) -> bytes:
    import numpy

    buffer = io.BytesIO()
    numpy.save(buffer, array_like)
    return buffer.getvalue()


_DECODERS: dict[str, Callable[[Any], Any]] = {CSV: csv_to_numpy, JSON: json_to_numpy, NPY: npy_to_numpy}
_ENCODERS: dict[str, Callable[[Any], Any]] = {CSV: array_to_csv, JSON: array_to_json, NPY: array_to_npy}


def decode(obj: Any, content_type: str) -> Any:
    """The array that a request's body holds. Raises `UnsupportedFormatError`."""
    if content_type not in _DECODERS:
        raise UnsupportedFormatError(content_type)
    return _DECODERS[content_type](obj)


def encode(array_like: Any, content_type: str) -> Any:
    """The body of a response. Raises `UnsupportedFormatError`."""
    if content_type not in _ENCODERS:
        raise UnsupportedFormatError(content_type)
    return _ENCODERS[content_type](array_like)
