"""The S3 protocol over `pipelines.local.store`: see `application` for what enters and leaves.

Nothing is imported here: the store itself uses `errors`, `names` and `disk`.
"""
