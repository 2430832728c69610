"""Every transform by the name it has in a recipe; its class declares its options (recipe/options.py)."""

from __future__ import annotations

from processing.transforms.bins import Bins
from processing.transforms.categories import Frequency, Hashing, OneHot, Ordinal
from processing.transforms.dates import DateParts
from processing.transforms.interface import Transform
from processing.transforms.numeric import Expression, Numeric
from processing.transforms.plain import Boolean, Cyclic, Drop, Missing, Passthrough, TextLength
from processing.transforms.target_encoding import TargetEncoding

TRANSFORMS: dict[str, type[Transform]] = {
    "numeric": Numeric,
    "passthrough": Passthrough,
    "expression": Expression,
    "bins": Bins,
    "cyclic": Cyclic,
    "boolean": Boolean,
    "missing": Missing,
    "one_hot": OneHot,
    "ordinal": Ordinal,
    "hashing": Hashing,
    "frequency": Frequency,
    "target_encoding": TargetEncoding,
    "date_parts": DateParts,
    "text_length": TextLength,
    "drop": Drop,
}
