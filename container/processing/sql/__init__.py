"""SQL text, generated: pure functions from a recipe and fitted statistics to statements. Nothing here runs them."""
