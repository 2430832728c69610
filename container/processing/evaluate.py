"""The evaluation step: a trained model and the test split → evaluation.json and report.html.

In: inputs model (model.tar.gz) and test. Out, in the output `evaluation`: the Model Registry's JSON and a page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from processing.archive import unpack
from processing.contract import Paths, write_whole
from processing.errors import ModelError, Problem
from processing.evaluation import evaluate_scores
from processing.features import scratch_folder
from processing.fitted import FILE, Fitted, read_fitted
from processing.jsontext import to_json
from processing.matrix import Matrix, read_matrix
from processing.metrics import Floats
from processing.report import report_html
from processing.train import MODEL_FILE, TRAINING_FILE, safe_names


@dataclass(frozen=True)
class Model:
    """What model.tar.gz holds."""

    booster: xgboost.Booster
    fitted: Fitted
    threshold: float


def run_evaluate(paths: Paths) -> None:
    """Run the step below the root of `paths`."""
    with scratch_folder(paths.root) as scratch:
        model = load_model(paths.processing_input("model") / "model.tar.gz", scratch)
    columns = [column.name for column in model.fitted.columns]
    folder = paths.processing_input("test")
    test = read_matrix(folder, columns)
    document = evaluate_scores(test.labels, predict(model, test), model.threshold, str(folder))
    output = paths.processing_output("evaluation")
    write_whole(output / "report.html", report_html(document, _facts(model, test)).encode())
    write_whole(output / "evaluation.json", to_json(document).encode())
    print(f"test-auc: {document['binary_classification_metrics']['auc']['value']:.6f}", flush=True)


def load_model(archive: Path, scratch: Path) -> Model:
    """The model of an archive; ModelError when it is none of this image's."""
    files = unpack(archive, [MODEL_FILE, FILE, TRAINING_FILE], scratch)
    fix = "give the model.tar.gz that the training job of this image wrote"
    try:
        booster = xgboost.Booster()
        booster.load_model(files[MODEL_FILE])
        training: Any = json.loads(files[TRAINING_FILE].read_text(encoding="utf-8"))
        threshold = float(training["threshold"])
    except (xgboost.core.XGBoostError, ValueError, KeyError, TypeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise ModelError([Problem(str(archive), f"the model cannot be read: {first}", fix)]) from error
    fitted = read_fitted(files[FILE].read_text(encoding="utf-8"), f"{archive.name}/{FILE}")
    return Model(booster, fitted, threshold)


def predict(model: Model, test: Matrix) -> Floats:
    """The probability of the target for each row."""
    names = safe_names([column.name for column in model.fitted.columns])
    scores = model.booster.predict(xgboost.DMatrix(test.features, feature_names=names))
    return np.asarray(scores, dtype=np.float64)


def _facts(model: Model, test: Matrix) -> list[tuple[str, str]]:
    return [
        ("Target", model.fitted.recipe.target.text),
        ("Rows", f"{len(test.labels):,}, of which {int(test.labels.sum()):,} positive"),
        ("Threshold", f"{model.threshold:.4f} (best F1 on the validation split)"),
        ("Boosting rounds", str(model.booster.num_boosted_rounds())),
    ]
