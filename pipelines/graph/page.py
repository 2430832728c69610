"""A definition as one page that needs nothing beside itself: the drawing, and below it what each step says.

No script, nothing fetched; every text of the definition is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import Final

from pipelines.definition import Definition, Step
from pipelines.definition.texts import one_line
from pipelines.graph.layout import HEIGHT, Layout, Point, laid_out
from pipelines.graph.words import Arrow, arrows, condition_in_words, loop_in_words, ordered, shortened

_LETTER: Final = 7.6  # its width, in pixels, where the letters have 13
_SMALL: Final = 6.2  # and where they have 11
_LONGEST: Final = 40
_NESTED: Final = ("IfSteps", "ElseSteps", "Steps")  # which are steps of their own here
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b2733; --dim: #5d6b79; --paper: #fff; --box: #eef3f8; --line: #8fa1b3;
  --Processing: #2f6fb0; --Training: #b0662f; --Condition: #8a4fb0; --Fail: #b03a3a; --RegisterModel: #2f8a57; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --dim: #9aa8b6; --paper: #14191f; --box: #1f2831;
  --line: #66788a; --Processing: #6ea8e0; --Training: #e0a06e; --Condition: #c193e0; --Fail: #e07d7d;
  --RegisterModel: #6fd09a; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
figure { margin: 0; overflow-x: auto; }
svg { display: block; margin: 0 auto; font: 13px system-ui, sans-serif; }
svg rect { fill: var(--box); stroke: var(--kind, var(--line)); stroke-width: 1.5; }
svg text { fill: var(--ink); text-anchor: middle; }
svg .type, svg .words { fill: var(--dim); font-size: 11px; }
svg .words { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg path { fill: none; stroke: var(--line); stroke-width: 1.5; }
svg path.order { stroke-dasharray: 4 4; }
svg marker path { fill: var(--line); stroke: none; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
section:target h2 { text-decoration: underline; }
h2 { font-size: 1.05rem; margin: .8rem 0 .2rem; } h2 small, p { color: var(--dim); } p { margin: .2rem 0; }
pre { overflow-x: auto; background: var(--box); padding: .8rem; }
"""


def as_page(definition: Definition, title: str) -> str:
    """HTML: a box per step that leads to its section; arrows with the outputs' names, dotted for mere order."""
    names = ordered(definition)
    ids = {name: f"step-{index}" for index, name in enumerate(names)}
    drawn = list(arrows(definition))
    layout = laid_out(
        {name: _width(definition.step(name)) for name in names},
        {(arrow.upstream, arrow.downstream): len(_short(arrow.words)) * _SMALL for arrow in drawn},
    )
    figure = [*_lines(drawn, layout), *(_box(definition.step(name), ids[name], layout.places[name]) for name in names)]
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    marker = (
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerUnits="userSpaceOnUse" '
        'markerWidth="9" markerHeight="9" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    body = [
        f"<body>\n<h1>{_text(title)}</h1>\n<p>{_summary(definition)}</p>",
        f'<figure><svg role="img" aria-label="the steps and what they wait for" {size}>{marker}',
        *figure,
        "</svg></figure>",
        *(_section(definition.step(name), ids) for name in names),
        "</body>\n</html>\n",
    ]
    return head + "\n".join(body)


def _summary(definition: Definition) -> str:
    parameters = ", ".join(_text(parameter.name) for parameter in definition.parameters)
    steps = sum(1 for _ in definition.all_steps())
    return f"{steps} steps, digest {definition.digest[:12]}{f'; parameters: {parameters}' if parameters else ''}"


def _box(step: Step, ident: str, middle: Point) -> str:
    x, y, width = *middle, _width(step)
    rectangle = (
        f'<rect x="{x - width / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{width:.1f}" height="{HEIGHT:.1f}" '
        f'rx="{HEIGHT / 2 if step.type == "Fail" else 6:.0f}" style="--kind: var(--{_kind(step)})"/>'
    )
    return (
        f'<a href="#{ident}"><title>{_text(step.name)}</title>{rectangle}'
        f'<text x="{x:.1f}" y="{y - 2:.1f}">{_text(_short(step.name))}</text>'
        f'<text class="type" x="{x:.1f}" y="{y + 14:.1f}">{_text(_short(step.type))}</text></a>'
    )


def _kind(step: Step) -> str:
    return step.type if f"--{step.type}:" in _STYLE else "line"


def _width(step: Step) -> float:
    return max(len(_short(step.name)), len(_short(step.type))) * _LETTER + 28


def _lines(drawn: list[Arrow], layout: Layout) -> Iterator[str]:
    """Curves from the lower edge of a box to the upper edge of the next, and what flows along them."""
    words = []
    for arrow in drawn:
        (x, y), *bends, (u, v) = layout.routes[arrow.upstream, arrow.downstream]
        half = HEIGHT / 2 if y <= v else -HEIGHT / 2
        points = [(x, y + half), *bends, (u, v - half)]
        at = bends[-1] if bends else ((x + u) / 2, (y + v) / 2)
        kind = "" if arrow.solid else ' class="order"'
        yield f'<path d="{_curve(points)}" marker-end="url(#end)"{kind}/>'
        if arrow.words:
            place = f'x="{at[0]:.1f}" y="{at[1] + 4:.1f}"'
            words.append(f'<text class="words" {place}>{_text(_short(arrow.words))}</text>')
    yield from words


def _curve(points: list[Point]) -> str:
    (x, y), *_ = points
    path = f"M{x:.1f} {y:.1f}"
    for (x, y), (u, v) in pairwise(points):
        middle = (y + v) / 2
        path += f" C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}"
    return path


def _section(step: Step, ids: dict[str, str]) -> str:
    """What a step says, the steps inside it apart."""
    facts = [f"in {_link(step.parent.step, ids)}" if step.parent else ""]
    match step.type:
        case "Condition":
            facts.append(f"if {_text(condition_in_words(step))}")
        case "ForEach":
            facts.append(_text(loop_in_words(step)))
    said = {key: value for key, value in step.raw.items() if key not in ("Name", "Type")}
    if step.children:
        inner = {key: value for key, value in step.arguments.items() if key not in _NESTED}
        said["Arguments"] = inner
    lines = "".join(f"<p>{fact}</p>" for fact in facts if fact)
    text = _text(json.dumps(said, indent=2, ensure_ascii=False), lines=True)
    return (
        f'<section id="{ids[step.name]}"><h2>{_text(step.name)} <small>{_text(step.type)}</small></h2>{lines}'
        f"<details><summary>definition</summary><pre>{text}</pre></details></section>"
    )


def _link(name: str, ids: dict[str, str]) -> str:
    return f'<a href="#{ids[name]}">{_text(name)}</a>'


def _short(text: str) -> str:
    return shortened(text, _LONGEST)


def _text(text: str, *, lines: bool = False) -> str:
    shown = "\n".join(map(one_line, text.split("\n"))) if lines else one_line(text)
    return escape(shown)
