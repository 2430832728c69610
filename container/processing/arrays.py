"""The kinds of numpy arrays that training and evaluation pass around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Features = NDArray[np.float32]
"""Rows of feature values; null is NaN."""
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
Keys = NDArray[np.uint64]
