"""The figures of the page, each from its part of evaluation.json; "" where the document lacks that part.

In: the document's `details` and the registry's measures. Out: HTML of one figure, with an id that names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processing.evaluation.drift import LARGE, MODERATE
from processing.report.svg import Axis, Bar, Line, Point, bars, columns, escape, plot, points, span

Part = Mapping[str, Any]

_MOST_BARS = 25
_COLOURS = ("a", "b", "c", "d", "e", "f")


def figure(name: str, title: str, body: str, about: str = "", *, wide: bool = False) -> str:
    """A titled figure; `about` is a sentence below it."""
    note = f"<p>{escape(about)}</p>" if about else ""
    kind = ' class="wide"' if wide else ""
    return f'<figure id="{name}"{kind}><figcaption>{escape(title)}</figcaption>{body}{note}</figure>'


def roc(measures: Part, details: Part) -> str:
    """The ROC curve, or one for each class."""
    x, y = Axis("False positive rate"), Axis("True positive rate")
    if "curves" in details:
        curves = list(details["curves"].items())[: len(_COLOURS)]
        lines = [
            Line(item["false_positive_rates"], item["true_positive_rates"], colour, name)
            for (name, item), colour in zip(curves, _COLOURS, strict=False)
        ]
        more = len(details["curves"]) - len(lines)
        about = f"The first {len(lines)} of {len(lines) + more} classes." if more else "Each class against all others."
        return figure("roc", "ROC curves", plot(lines, x, y, "ROC curves", "up"), about)
    if "receiver_operating_characteristic_curve" not in measures:
        return ""
    curve = measures["receiver_operating_characteristic_curve"]
    area = measures["auc"]["value"]
    body = plot([Line(curve["false_positive_rates"], curve["true_positive_rates"])], x, y, "ROC curve", "up")
    return figure("roc", f"ROC curve (AUC {area:.4f})", body)


def precision_recall(measures: Part, details: Part) -> str:
    """The precision-recall curve with the share of positives as the floor."""
    if "precision_recall_curve" not in measures:
        return ""
    curve, rows = measures["precision_recall_curve"], details["rows"]
    share = rows["1"] / (rows["0"] + rows["1"])
    floor = Line([0, 1], [share, share], "guide")
    lines = [floor, Line(curve["recalls"], curve["precisions"])]
    average = details["metrics"]["average_precision"]["value"]
    body = plot(lines, Axis("Recall"), Axis("Precision"), "Precision-recall curve")
    about = f"The dashed line is the share of positives, {share:.1%}: what chance gives."
    return figure("precision-recall", f"Precision and recall (average precision {average:.4f})", body, about)


def calibration(details: Part) -> str:
    """Predicted against observed, in bins of equal rows."""
    if "calibration" in details:
        found = details["calibration"]
        predicted, observed = found["mean_scores"], found["positive_shares"]
        axis = span([0.0, *predicted, *observed], "")
        x, y = Axis("Mean score", axis.low, axis.high), Axis("Share of positives", axis.low, axis.high)
        error = details["metrics"]["expected_calibration_error"]["value"]
        title = f"Calibration (mean distance {error:.4f})"
    elif "by_prediction" in details:
        found = details["by_prediction"]
        predicted, observed = found["mean_predictions"], found["mean_targets"]
        axis = span([*predicted, *observed], "")
        x, y = Axis("Mean prediction", axis.low, axis.high), Axis("Mean target", axis.low, axis.high)
        title = "Prediction against target"
    else:
        return ""
    body = plot([Line(predicted, observed, dots=True)], x, y, title, "up")
    return figure(
        "calibration", title, body, "Each dot is about a twentieth of the rows. On the dashed line all is right."
    )


def distribution(details: Part) -> str:
    """How the scores of each class lie, or the residuals."""
    if "score_histogram" in details:
        lines = []
        for name, colour in (("0", "b"), ("1", "a")):
            counts = details["score_histogram"][name]
            total = sum(counts) or 1
            lines.append(Line((), [count / total for count in counts], colour, f"Actual {name}"))
        body = columns(lines, Axis("Score"), "Share of the class", "Scores by class")
        return figure("scores", "Scores by class", body)
    if "residual_quantiles" in details:
        found = details["residual_quantiles"]
        inner = slice(1, -1)
        values = found["values"][inner]
        line = Line(found["probabilities"][inner], values, dots=True)
        y = span([0.0, *values], "Prediction minus target")
        body = plot([line], Axis("Share of rows at or below"), y, "Quantiles of residuals")
        low, high = found["values"][0], found["values"][-1]
        return figure(
            "scores", "Quantiles of residuals", body, f"From 1 % to 99 %; the ends are {low:.4g} and {high:.4g}."
        )
    return ""


def thresholds(details: Part) -> str:
    """What another threshold would give."""
    found = details.get("thresholds")
    if found is None:
        return ""
    chosen = details["threshold"]["value"]
    lines = [
        Line(found["thresholds"], found["precisions"], "a", "Precision"),
        Line(found["thresholds"], found["recalls"], "b", "Recall"),
        Line(found["thresholds"], found["predicted_shares"], "d", "Share predicted 1"),
        Line([chosen, chosen], [0, 1], "guide"),
    ]
    body = plot(lines, span([*found["thresholds"], chosen], "Threshold"), Axis(""), "Measures by threshold")
    return figure("thresholds", "By threshold", body, f"The dashed line is the threshold in use, {chosen:.4f}.")


def confusion(measures: Part) -> str:
    """Counts by actual and predicted class, shaded by the share of the actual class."""
    matrix = measures.get("confusion_matrix")
    if matrix is None:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in matrix)
    rows = []
    for actual, predicted in matrix.items():
        total = sum(predicted.values()) or 1
        cells = "".join(
            f'<td style="--share:{count / total:.4f}"><b>{count:,}</b><small>{count / total:.1%}</small></td>'
            for count in predicted.values()
        )
        rows.append(f'<tr><th scope="row">{escape(actual)}</th>{cells}</tr>')
    body = (
        f'<div class="scroll"><table class="matrix"><thead><tr><th>actual ↓ predicted →</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    return figure("confusion", "Confusion", body, "Shares are of the rows of the actual class.")


def importance(details: Part) -> str:
    """The columns that lowered the loss most."""
    items = [
        Bar(item["column"], item["share"], f"{item['share']:.1%}")
        for item in details["importance"]
        if item["share"] > 0
    ][:_MOST_BARS]
    if not items:
        return figure("importance", "Importance", "<p>No column was split on.</p>", wide=True)
    about = "Share of the whole gain in loss by the splits on each column; it says nothing of cause."
    return figure("importance", "Importance", bars(items, "Importance"), about, wide=True)


def drift(details: Part) -> str:
    """The columns that moved most between training and test, and the scores between validation and test."""
    colours = {"small": "a", "moderate": "b", "large": "c"}
    found = [*({**item, "name": f"score: {item['name']}"} for item in details["drift"]["scores"])]
    found += details["drift"]["columns"][: _MOST_BARS - len(found)]
    items = [Bar(item["name"], item["psi"], f"{item['psi']:.4f}", colours[item["level"]]) for item in found]
    moved = sum(item["level"] != "small" for item in details["drift"]["columns"])
    highest = max(item.value for item in items)
    marks = [MODERATE, LARGE] if highest > MODERATE else [MODERATE]
    about = (
        "Population stability index of the test split against training (scores: against validation). "
        f"{moved} column(s) moved; from {MODERATE} a move is called moderate, from {LARGE} large, "
        "where chance does not explain it. Target encodings are compared without folds: training rows, too, are "
        "encoded from the whole training split, as test rows are."
    )
    return figure("drift", "Drift", bars(items, "Drift", marks), about, wide=True)


def slices(details: Part) -> str:
    """The main measure for each value of each slice column, then all measures as a table."""
    found = []
    for column, lines in details["slices"].items():
        found.append(f"<h3>{escape(column)}</h3>{_slice_points(details, lines)}{_slice_table(lines)}")
    if not found:
        return ""
    about = (
        f"Main measure: {details['main_metric']}. Bars are {details['confidence']:.0%} intervals, where there is one."
    )
    return figure("slices", "Slices", "".join(found), about, wide=True)


def _slice_points(details: Part, lines: Sequence[Part]) -> str:
    items = []
    for line in lines:
        value, interval = _value(line[details["main_metric"]])
        if value is not None:
            note = f"{short(value)} · {line['rows']:,} rows"
            items.append(Point(line["value"], value, interval, note))
    overall = details["metrics"][details["main_metric"]]["value"]
    return points(items, "Slices", overall) if items else ""


def _value(found: Any) -> tuple[float | None, tuple[float, float] | None]:
    if isinstance(found, Mapping):
        interval = found["interval"]
        return found["value"], (interval[0], interval[1]) if interval else None
    return found, None


def _slice_table(lines: Sequence[Part]) -> str:
    names = [name for name in lines[0] if name != "value"]
    head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{escape(line["value"])}</th>'
        f"{''.join(f'<td>{number(line[name])}</td>' for name in names)}</tr>"
        for line in lines
    )
    return f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def champion(details: Part) -> str:
    """The difference to the champion with its interval."""
    found = details.get("champion")
    if found is None:
        return ""
    low, high = found["difference"]["interval"]
    value = found["difference"]["value"]
    item = Point(f"{found['metric']}, new minus champion", value, (low, high), short(value, sign=True))
    about = (
        f"New {short(found['new'])}, champion {short(found['champion'])}; {found['confidence']:.0%} interval of the "
        f"difference {short(low, sign=True)} to {short(high, sign=True)} ({found['method']}). "
        f"Verdict: {found['verdict']}."
    )
    return figure(
        "champion", "Against the champion", points([item], "Difference to the champion", 0.0), about, wide=True
    )


def classes(details: Part) -> str:
    """The measures of each class of several."""
    found = details.get("classes")
    if found is None:
        return ""
    lines = [{"value": name, **line} for name, line in found.items()]
    return figure("classes", "Classes", _slice_table(lines), wide=True)


def number(value: Any) -> str:
    """A cell: a metric's value, a count, a measure, or a dash where there is none."""
    if isinstance(value, Mapping):
        value = value["value"]
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return short(value) if isinstance(value, float) else escape(value)


def short(value: float, *, sign: bool = False) -> str:
    """Four decimals, or six digits in all where the number is large."""
    plus = "+" if sign else ""
    return f"{value:{plus}.4f}" if abs(value) < 1000 else f"{value:{plus},.1f}"
