"""The per-feature transforms, one module per family: options read from the recipe, fit on the training split, SQL.

A new transform is a frozen dataclass with the members of interface.Transform and a line in registry.TRANSFORMS.
"""
