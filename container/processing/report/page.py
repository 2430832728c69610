"""The page: what it says first, the figures, the measures as tables. One file, no script, light and dark.

In: the evaluation document and a few facts. Out: HTML. Everything that comes from data is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processing.report import figures
from processing.report.svg import escape

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --quiet: #5b6570; --rule: #d9dee4; --card: #f6f8fa;
  --a: #2563eb; --b: #c2700a; --c: #c0312f; --d: #7c3aed; --e: #0f766e; --f: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e6e9ed; --quiet: #9aa5b1; --rule: #313942;
  --card: #1c2127; --a: #7aa7ff; --b: #f0ad4e; --c: #ff7b72; --d: #b794f6; --e: #4fd1c5; --f: #a0aec0; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem;
  margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1rem 0 .25rem; }
.facts { color: var(--quiet); margin: 0 0 1rem; } .facts span { margin-right: 1.25rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .75rem; }
.tile, figure { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.tile { padding: .6rem .8rem; } .tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.tile b.words { font-size: 1rem; line-height: 2; }
.tile small, .tile span { color: var(--quiet); font-size: .8rem; display: block; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: .75rem;
  margin-top: .75rem; }
figure { margin: 0; padding: .8rem; min-width: 0; } figure.wide { grid-column: 1 / -1; }
figcaption { font-weight: 600; margin-bottom: .5rem; }
figure p { color: var(--quiet); font-size: .82rem; margin: .5rem 0 0; }
svg { width: 100%; height: auto; display: block; fill: var(--ink); font-family: inherit; }
svg.wide { max-width: 46rem; }
.grid { stroke: var(--rule); } .guide { stroke: var(--quiet); stroke-dasharray: 4 4; fill: none; }
.quiet { fill: var(--quiet); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .line.guide { stroke-width: 1.2; }
.fill { opacity: .55; } .fill.solid { opacity: 1; }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); } .line.c { stroke: var(--c); } .line.d { stroke: var(--d); }
.line.e { stroke: var(--e); } .line.f { stroke: var(--f); }
.dot.a, .fill.a { fill: var(--a); } .fill.b { fill: var(--b); } .fill.c { fill: var(--c); }
.legend { font-size: .8rem; color: var(--quiet); } .legend span { margin-right: 1rem; }
.legend i { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .35em; }
i.a { background: var(--a); } i.b { background: var(--b); } i.c { background: var(--c); } i.d { background: var(--d); }
i.e { background: var(--e); } i.f { background: var(--f); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th { font-weight: 500; } th:first-child { text-align: left; white-space: normal; min-width: 7rem; }
thead th { color: var(--quiet); }
.matrix td { padding: .5rem .9rem; background: color-mix(in srgb, var(--a) calc(var(--share) * 45%), transparent); }
.matrix small { display: block; color: var(--quiet); }
"""

_TITLES = {
    "auc": "AUC",
    "r2": "R²",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "brier": "Brier score",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov",
    "f0_5": "F0.5",
    "f1": "F1",
    "f2": "F2",
}
_CURVES = ("confusion_matrix", "receiver_operating_characteristic_curve", "precision_recall_curve")
_CONSTANT = "_best_constant_classifier"


def report_html(evaluation: Mapping[str, Any], facts: Sequence[tuple[str, str]]) -> str:
    """The page; `facts` are name and text, shown below the heading."""
    details = evaluation["details"]
    (measures,) = (value for key, value in evaluation.items() if key != "details")
    about = "".join(f"<span>{escape(name)}: <strong>{escape(text)}</strong></span>" for name, text in facts)
    drawn = [
        figures.champion(details),
        figures.roc(measures, details),
        figures.precision_recall(measures, details),
        figures.calibration(details),
        figures.distribution(details),
        figures.thresholds(details),
        figures.confusion(measures),
        figures.classes(details),
        figures.slices(details),
        figures.importance(details),
        figures.drift(details),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation</title><style>{_STYLE}</style></head>\n<body><h1>Evaluation on the test split</h1>\n"
        f'<p class="facts">{about}</p>\n<div class="tiles">{_tiles(details)}</div>\n'
        f'<div class="figures">{"".join(drawn)}</div>\n<h2>Measures</h2>\n{_measures(measures, details)}\n'
        "</body></html>\n"
    )


def _title(name: str) -> str:
    for prefix in ("weighted_", "macro_"):
        rest = name.removeprefix(prefix)
        if rest != name and rest in _TITLES:
            return f"{prefix[:-1].capitalize()} {_TITLES[rest]}"
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


def _tiles(details: Mapping[str, Any]) -> str:
    """The measures with an interval, the main one first, and the verdict on the champion."""
    metrics = {details["main_metric"]: None, **details["metrics"]}
    tiles = []
    for name in metrics:
        found = details["metrics"][name]
        interval = found["interval"]
        note = f"{_short(interval[0])} to {_short(interval[1])}" if interval else ""
        tiles.append(_tile(_title(name), _short(found["value"]), note))
    champion = details.get("champion")
    if champion is not None:
        note = f"{figures.short(champion['difference']['value'], sign=True)} {_title(champion['metric'])}"
        tiles.append(_tile("Against the champion", champion["verdict"], note))
    return "".join(tiles)


def _tile(title: str, value: str, note: str) -> str:
    kind = ' class="words"' if value.isalpha() or " " in value else ""
    return (
        f'<div class="tile"><span>{escape(title)}</span><b{kind}>{escape(value)}</b><small>{escape(note)}</small></div>'
    )


def _short(value: float | None) -> str:
    return "–" if value is None else figures.short(value)


def _measures(measures: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The registry's scalars with their deviations and the constant classifier's."""
    names = [name for name in measures if name not in _CURVES and not name.endswith(_CONSTANT)]
    rows = []
    for name in names:
        constant = measures.get(name + _CONSTANT)
        cells = [measures[name]["value"], measures[name]["standard_deviation"]]
        shown = [*(_cell(value) for value in cells), _cell(constant["value"]) if constant else ""]
        rows.append(
            f'<tr><th scope="row">{escape(_title(name))}</th>{"".join(f"<td>{text}</td>" for text in shown)}</tr>'
        )
    head = "<tr><th></th><th>Value</th><th>Std. deviation</th><th>Constant classifier</th></tr>"
    threshold = details.get("threshold")
    note = f"<p>At the threshold {threshold['value']:.4f} ({escape(threshold['chosen_by'])}).</p>" if threshold else ""
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>{note}'


def _cell(value: float | str) -> str:
    return "–" if isinstance(value, str) else _short(value)
