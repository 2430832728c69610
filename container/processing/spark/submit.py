"""What spark-submit runs, as spark_features.py beside processing.zip (bundle.py); see program.py."""

from __future__ import annotations

import os
import sys

from processing.spark.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
