"""The feature step on Spark: the same recipe, the same statements, nothing installed but this program.

Run by `spark_features.py` under spark-submit; see docs/how-to/features-on-spark.md.
"""
