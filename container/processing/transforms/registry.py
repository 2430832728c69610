"""Every transform by the name it has in a recipe."""

from __future__ import annotations

from collections.abc import Callable

from processing.recipe.fields import Fields
from processing.recipe.scope import Scope
from processing.transforms.categories import Frequency, OneHot
from processing.transforms.dates import DateParts
from processing.transforms.interface import Transform
from processing.transforms.numeric import Cyclic, Numeric, Passthrough
from processing.transforms.target_encoding import TargetEncoding

TRANSFORMS: dict[str, Callable[[Fields, Scope], Transform]] = {
    "numeric": Numeric.read,
    "passthrough": Passthrough.read,
    "cyclic": Cyclic.read,
    "one_hot": OneHot.read,
    "frequency": Frequency.read,
    "target_encoding": TargetEncoding.read,
    "date_parts": DateParts.read,
}
