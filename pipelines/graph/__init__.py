"""A definition's DAG as a picture: a definition in; text for a terminal, a Mermaid flowchart or a page out.

All are deterministic: steps stand in the order in which they may run, as in the document where that is open.
"""

from pipelines.graph.mermaid import as_mermaid
from pipelines.graph.page import as_page
from pipelines.graph.text import as_text
from pipelines.graph.words import condition_in_words

__all__ = ["as_mermaid", "as_page", "as_text", "condition_in_words"]
