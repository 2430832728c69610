"""The recipe: what a user edits to point the feature step at other data. YAML text in, a frozen `Recipe` out."""
