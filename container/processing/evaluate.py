"""The evaluation step: a trained model and the test split → evaluation.json and report.html.

In: inputs model (model.tar.gz) and test; optionally champion (another model.tar.gz) and champion_test (the same rows
under the champion's own features). Out, in the output `evaluation`: the Model Registry's JSON and a page. Rows are
scored in batches into files below OPT_ML; memory does not grow with them.
"""

from __future__ import annotations

import time
from pathlib import Path

from processing.contract import Paths, write_whole
from processing.errors import DataError, Problem
from processing.evaluation.document import evaluation_document
from processing.evaluation.scored import Scored
from processing.evaluation.scoring import score
from processing.jsontext import to_json
from processing.matrix import open_split
from processing.report.page import report_html
from processing.scratch import scratch_folder
from processing.training import modelfile
from processing.training.limits import telling_limits
from processing.training.modelfile import Trained

MODEL = "model.tar.gz"


def run_evaluate(paths: Paths) -> None:
    """Run the step below the root of `paths`."""
    started = time.monotonic()
    with telling_limits(), scratch_folder(paths) as scratch:
        trained = modelfile.load(paths.processing_input("model") / MODEL, scratch / "model")
        test = open_split(paths.processing_input("test"), trained.schema)
        champion = load_champion(paths, trained, scratch)
        scored = score(trained, test, scratch / "scored", keys=champion is not None)
        print(f"evaluate: {test.rows} rows, {len(trained.schema.columns)} features, {trained.algorithm}", flush=True)
        theirs = score_champion(champion, paths, trained, scratch) if champion is not None else None
        document = evaluation_document(trained, scored, theirs, scratch)
    output = paths.processing_output("evaluation")
    write_whole(output / "report.html", report_html(document, _facts(trained, test.rows)).encode())
    write_whole(output / "evaluation.json", to_json(document).encode())
    for name, found in document["details"]["metrics"].items():
        if found["value"] is not None:
            print(f"test-{name}: {found['value']:.6f}")
    print(f"evaluate: done in {time.monotonic() - started:.1f} s", flush=True)


def load_champion(paths: Paths, trained: Trained, scratch: Path) -> Trained | None:
    """The model of the input `champion`; None where the input is not connected."""
    folder = paths.processing_input("champion")
    if not folder.exists():
        return None
    champion = modelfile.load(folder / MODEL, scratch / "champion")
    own = paths.processing_input("champion_test")
    if champion.schema.digest != trained.schema.digest and not own.exists():
        what = "the champion was trained with other features than the test split was written with"
        fix = (
            "connect the same rows, written with the champion's features.json, as the input 'champion_test'; "
            "or disconnect the input 'champion'"
        )
        raise DataError([Problem(str(folder), what, fix)])
    return champion


def score_champion(champion: Trained, paths: Paths, trained: Trained, scratch: Path) -> Scored:
    """The champion's scores of the same rows."""
    same = champion.schema.digest == trained.schema.digest
    split = open_split(paths.processing_input("test" if same else "champion_test"), champion.schema)
    return score(champion, split, scratch / "champion-scored", slices=False, keys=True)


def _facts(trained: Trained, rows: int) -> list[tuple[str, str]]:
    return [
        ("Target", trained.schema.target.rule or trained.schema.target.column),
        ("Rows", f"{rows:,}"),
        ("Model", f"{trained.algorithm}, {trained.model.rounds} rounds"),
    ]
