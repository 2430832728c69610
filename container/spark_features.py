"""What spark-submit runs, with processing.zip as --py-files; see processing/spark/program.py."""

from __future__ import annotations

import os
import sys

from processing.spark.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
