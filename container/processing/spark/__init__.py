"""The feature step on Spark: the same recipe, the same statements, nothing installed but this program.

Run by spark-submit from the two files that bundle.py writes; see docs/how-to/features-on-spark.md.
"""
