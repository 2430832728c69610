"""The JSON Schema (draft 2020-12) of a recipe, for editors; made from the declarations of sections.py.

`python3 -m processing.recipe.schema` writes container/recipe.schema.json. What only the whole of a recipe can tell
(columns that are declared, fractions that add up, what is known only afterwards) it leaves to the reader.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from processing.recipe.options import mapping_schema
from processing.recipe.sections import RecipeSection

FILE = Path(__file__).parents[2] / "recipe.schema.json"


def schema() -> dict[str, Any]:
    """The whole schema, as a JSON document."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "recipe"}
    return {**head, **mapping_schema(RecipeSection)}


def text() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
