"""report.html: one self-contained page with the measures, the confusion and the ROC curve. No script, no other file.

In: the evaluation document and a few facts. Out: HTML. Colours follow the reader's light or dark setting.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
td { text-align: right; } th { text-align: left; font-weight: 500; }
svg { width: 100%; max-width: 26rem; height: auto; display: block; }
.quiet { opacity: .65; }
"""

_SIZE, _MARGIN = 400, 46
_SHOWN = (
    ("auc", "AUC"),
    ("accuracy", "Accuracy"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("true_negative_rate", "True negative rate"),
    ("f1", "F1"),
    ("f2", "F2"),
    ("f0_5", "F0.5"),
)


def report_html(evaluation: Mapping[str, Any], facts: Sequence[tuple[str, str]]) -> str:
    """The page; `facts` are name and text, shown below the heading."""
    measures = evaluation["binary_classification_metrics"]
    curve = measures["receiver_operating_characteristic_curve"]
    about = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in facts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation</title><style>{_STYLE}</style></head>\n<body><h1>Evaluation on the test split</h1>\n"
        f"<table>{about}</table>\n<h2>Measures</h2>\n{_measures(measures)}\n"
        f"<h2>Confusion</h2>\n{_confusion(measures['confusion_matrix'])}\n"
        "<h2>ROC curve</h2>\n"
        f"{_roc(curve['false_positive_rates'], curve['true_positive_rates'], measures['auc']['value'])}\n"
        "</body></html>\n"
    )


def _measures(measures: Mapping[str, Any]) -> str:
    rows = []
    for key, label in _SHOWN:
        constant = measures.get(f"{key}_best_constant_classifier")
        cells = [_number(measures[key]["value"]), _number(measures[key]["standard_deviation"])]
        cells.append(_number(constant["value"]) if constant else "")
        rows.append(f"<tr><th>{label}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "<tr><th></th><th>Value</th><th>Std. deviation</th><th>Always saying 1</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _number(value: float | str) -> str:
    return html.escape(value) if isinstance(value, str) else f"{value:.4f}"


def _confusion(matrix: Mapping[str, Mapping[str, int]]) -> str:
    head = "<tr><th></th><th>Predicted 0</th><th>Predicted 1</th></tr>"
    rows = "".join(
        f"<tr><th>Actual {actual}</th>{''.join(f'<td>{count:,}</td>' for count in predicted.values())}</tr>"
        for actual, predicted in matrix.items()
    )
    return f"<table>{head}{rows}</table>"


def _roc(x: Sequence[float], y: Sequence[float], area: float) -> str:
    inner = _SIZE - 2 * _MARGIN
    points = " ".join(f"{_MARGIN + inner * a:.1f},{_SIZE - _MARGIN - inner * b:.1f}" for a, b in zip(x, y, strict=True))
    low, high = _MARGIN, _SIZE - _MARGIN
    ticks = "".join(
        f'<text x="{low + inner * t:.0f}" y="{high + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="{low - 6}" y="{high - inner * t + 4:.0f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.5, 1)
    )
    return (
        f'<svg viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="ROC curve, AUC {area:.4f}" '
        'font-size="12" fill="currentColor">'
        f'<rect x="{low}" y="{low}" width="{inner}" height="{inner}" fill="none" stroke="currentColor" opacity=".3"/>'
        f'<line x1="{low}" y1="{high}" x2="{high}" y2="{low}" stroke="currentColor" opacity=".4" '
        'stroke-dasharray="4 4"/>'
        f'<polyline points="{points}" fill="none" stroke="#2f7ed8" stroke-width="2.5"/>{ticks}'
        f'<text x="{_SIZE / 2:.0f}" y="{_SIZE - 8}" text-anchor="middle">False positive rate</text>'
        f'<text transform="translate(14 {_SIZE / 2:.0f}) rotate(-90)" text-anchor="middle">True positive rate</text>'
        f'<text x="{high - 8}" y="{high - 10}" text-anchor="end" font-weight="600">AUC {area:.4f}</text></svg>'
    )
