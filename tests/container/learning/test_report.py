"""report.html: escaped, self-contained, and looked at in headless Chromium: no error, no overflow, every figure."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processing.evaluation import binary, multiclass, regression
from processing.evaluation.drift import BinCounts
from processing.evaluation.ranking import rank
from processing.evaluation.scorefile import ScoreFile
from processing.jsontext import to_json
from processing.report.page import report_html
from processing.report.svg import Axis, Bar, bars, plot, span, tick
from processing.training.reference import reference_of

EVIL = "<script>alert('x')</script> & \"q\""
LONG = "a_very_long_column_name_" * 8
FACTS = [("Target", EVIL), ("Rows", "3,000")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIGURES = {
    "binary": "champion roc precision-recall calibration scores thresholds confusion slices importance drift",
    "multiclass": "champion roc confusion classes slices importance drift",
    "regression": "champion calibration scores slices importance drift",
}


def around(task: str, main: str, slices: list[dict[str, Any]]) -> dict[str, Any]:
    """What is beside the measures; names come from data, so they are hostile and long."""
    draw = np.random.default_rng(5)
    counts = BinCounts({name: reference_of(draw.normal(size=900)) for name in (EVIL, LONG, "x")})
    counts.add({EVIL: draw.normal(size=900) + 2, LONG: draw.normal(size=900) + 0.3, "x": draw.normal(size=900)})
    difference = {"value": 0.02, "standard_deviation": 0.005, "interval": [0.01, 0.03]}
    champion = {"metric": main, "new": 0.8, "champion": 0.78, "difference": difference, "confidence": 0.95}
    importance = [{"column": name, "feature": name, "share": share} for name, share in ((LONG, 0.7), (EVIL, 0.3))]
    return {
        "task": task,
        "main_metric": main,
        "confidence": 0.95,
        "slices": {EVIL: [{"value": value, **line} for value, line in zip((EVIL, LONG), slices, strict=True)]},
        "importance": importance,
        "drift": {"columns": counts.drift(), "scores": [{**counts.drift()[0], "name": "score"}]},
        "champion": {**champion, "method": "DeLong, paired", "verdict": "better"},
    }


def evaluation(task: str, folder: Path) -> dict[str, Any]:
    """A document as the step writes it, read back from its own text."""
    draw = np.random.default_rng(1)
    match task:
        case "binary":
            scores = draw.beta(1, 4, 3000)
            ranking = rank([(scores, draw.random(3000) < scores)], folder, 0.3)
            measures, details = binary.registry(ranking), binary.details(ranking, 0.3)
            none = rank([(scores[:5], np.zeros(5))], folder)
            beside = around(task, "auc", [binary.summary(ranking), binary.summary(none)])
            key = "binary_classification_metrics"
        case "multiclass":
            classes = [EVIL, LONG, *(f"class {index}" for index in range(10))]
            names = [f"score {index}" for index in range(12)]
            file = ScoreFile(folder / "scored", dict.fromkeys(["target", *names], "f8"))
            scores = draw.dirichlet(np.full(12, 0.3), 2000)
            targets = scores.cumsum(axis=1).__gt__(draw.random((2000, 1))).argmax(axis=1)
            file.append({"target": targets, **dict(zip(names, scores.T, strict=True))})
            tally = multiclass.tally(file, classes)
            measures = multiclass.registry(tally, classes)
            details = multiclass.details(tally, multiclass.one_vs_rest(file, classes, folder), classes)
            beside = around(task, "accuracy", [multiclass.summary(tally)] * 2)
            key = "multiclass_classification_metrics"
        case _:
            file = ScoreFile(folder / "scored", {"target": "f8", "score": "f8"})
            targets = draw.normal(size=2000) * 1e5
            file.append({"target": targets, "score": targets + draw.normal(size=2000) * 1e4})
            sums = regression.sums(file)
            measures, details = regression.registry(sums, 2000), regression.details(sums, file, folder)
            beside = around(task, "rmse", [regression.summary(sums)] * 2)
            key = "regression_metrics"
    return json.loads(to_json({key: measures, "details": details | beside}))


@pytest.mark.parametrize("task", FIGURES)
def test_the_page_stands_alone_and_escapes_what_comes_from_data(tmp_path: Path, task: str) -> None:
    page = report_html(evaluation(task, tmp_path), FACTS)
    assert not re.search(r"<script|<link|<img|src=|href=|https?:|url\(|@import| on\w+=", page)
    assert html.escape(EVIL, quote=True) in page
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in re.sub(r"[a-z]{4,}", "", page.lower())
    assert re.findall(r'<figure id="([a-z-]+)"', page) == FIGURES[task].split()


LOOK = """<!doctype html><meta charset="utf-8"><body><pre id="found"></pre><script>
const found = [];
for (const width of [360, 1000]) {
  const frame = document.createElement("iframe");
  frame.style.width = width + "px"; frame.style.height = "900px";
  frame.srcdoc = PAGE;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    const figures = [...page.querySelectorAll("figure")].map(f => {
      const box = f.getBoundingClientRect(), drawn = f.querySelector("svg, table");
      return {id: f.id, left: box.left, right: box.right, height: drawn ? drawn.getBoundingClientRect().height : 0};
    });
    const texts = [...page.querySelectorAll("svg text")].filter(t => {
      const box = t.getBoundingClientRect(), svg = t.closest("svg").getBoundingClientRect();
      return box.left < svg.left - 1 || box.right > svg.right + 1;
    }).map(t => t.textContent);
    found.push({width: root.clientWidth, scroll: root.scrollWidth, figures, texts,
                scripts: page.querySelectorAll("script").length});
    document.getElementById("found").textContent = JSON.stringify(found);
  };
  document.body.append(frame);
}
</script>"""


def look(page: str, folder: Path) -> tuple[list[dict[str, Any]], str]:
    """What Chromium lays out at two widths, and what it wrote to its log."""
    (folder / "look.html").write_text(LOOK.replace("PAGE", json.dumps(page).replace("</", "<\\/")), encoding="utf-8")
    flags = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
    flags += [
        "disable-component-update",
        "disable-sync",
        "enable-logging=stderr",
        "virtual-time-budget=5000",
        "dump-dom",
    ]
    command = [str(CHROMIUM), *(f"--{flag}" for flag in flags), f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, (folder / "look.html").as_uri()], capture_output=True, text=True, timeout=600, check=True
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    return json.loads(html.unescape(found[1])), done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to look at the page with")
@pytest.mark.parametrize("task", FIGURES)
def test_chromium_shows_every_figure_without_error_or_overflow(tmp_path: Path, task: str) -> None:
    found, log = look(report_html(evaluation(task, tmp_path), FACTS), tmp_path)
    assert "CONSOLE" not in log
    assert len(found) == 2
    for seen in found:
        assert seen["scroll"] <= seen["width"], "the page is wider than its window"
        assert [figure["id"] for figure in seen["figures"]] == FIGURES[task].split()
        assert seen["texts"] == [], "a text leaves its chart"
        assert seen["scripts"] == 0
        for figure in seen["figures"]:
            assert figure["height"] > 20, figure
            assert figure["left"] >= 0
            assert figure["right"] <= seen["width"], figure


def test_axes_hold_their_values_and_have_round_ticks() -> None:
    for values in ((0.0, 1.0), (-3.2, 17.9), (5.0, 5.0), (1e-9, 3e-9), (-2e6, 4e7)):
        axis = span(values, "a")
        assert axis.low <= min(values)
        assert axis.high >= max(values)
        assert 3 <= len(axis.ticks()) <= 9
    assert [tick(value) for value in Axis("a", 0, 1).ticks()] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_charts_of_nothing_are_empty_and_not_broken() -> None:
    assert "<svg" in bars([Bar("x", 0.0, "0")], "t")
    assert "<svg" in plot([], Axis("x"), Axis("y"), "t")
