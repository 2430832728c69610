"""The page that draws a definition: nothing overlaps, nothing gets lost, and no name breaks it."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.graph import as_page
from pipelines.graph.layout import HEIGHT, laid_out
from pipelines.graph.words import arrows, ordered
from tests.checks.documents import defined, document, equals, fail, gate, processing
from tests.test_graph import ODD, definition_of
from tests.work import lines_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = ["flights", "calhousing-and-text", "everything"]
SVG = re.compile(r"<svg.*</svg>", re.DOTALL)


@st.composite
def drawings(draw: st.DrawFn) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Boxes and arrows, some of them against the order."""
    names = [f"S{index}" for index in range(draw(st.integers(1, 9)))]
    widths = {name: draw(st.floats(20, 300)) for name in names}
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda pair: pair[0] != pair[1])
    return widths, {pair: draw(st.floats(0, 200)) for pair in draw(st.lists(pairs, max_size=14, unique=True))}


@given(drawings())
def test_boxes_lie_clear_of_one_another_below_what_they_wait_for_and_within_the_drawing(drawing) -> None:
    widths, words = drawing
    layout = laid_out(widths, words)
    for one, other in combinations(widths, 2):
        (x, y), (u, v) = layout.places[one], layout.places[other]
        assert abs(y - v) > HEIGHT or abs(x - u) > (widths[one] + widths[other]) / 2
    position = {name: index for index, name in enumerate(widths)}
    for upstream, downstream in words:
        if position[upstream] < position[downstream]:
            assert layout.places[upstream][1] < layout.places[downstream][1]
    for name, (x, y) in layout.places.items():
        assert 0 < x - widths[name] / 2 < x + widths[name] / 2 < layout.width
        assert 0 < y - HEIGHT / 2 < y + HEIGHT / 2 < layout.height


@given(drawings())
def test_an_arrow_leads_from_box_to_box_and_through_none(drawing) -> None:
    widths, words = drawing
    layout = laid_out(widths, words)
    assert layout.routes.keys() == words.keys()
    for (upstream, downstream), points in layout.routes.items():
        assert (points[0], points[-1]) == (layout.places[upstream], layout.places[downstream])
        if points[1:-1]:
            assert points[-2][0] - words[upstream, downstream] / 2 > 0
            assert points[-2][0] + words[upstream, downstream] / 2 < layout.width
        for x, y in points[1:-1]:
            assert 0 < x < layout.width
            assert not any(v == y and abs(u - x) < widths[name] / 2 for name, (u, v) in layout.places.items())


def test_boxes_stand_in_the_order_that_crosses_no_arrows() -> None:
    layout = laid_out(dict.fromkeys("ABCD", 50.0), {("A", "D"): 0, ("B", "C"): 0})
    assert (layout.places["A"] < layout.places["B"]) == (layout.places["D"] < layout.places["C"])


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_every_step_and_every_arrow(name: str) -> None:
    definition = definition_of(name)
    page = as_page(definition, name)
    drawing = ElementTree.fromstring(SVG.search(page)[0])  # noqa: S314 - our own
    targets = [link.get("href") for link in drawing.iter("a")]
    assert targets == [f"#{ident}" for ident in re.findall(r'<section id="([\w-]+)">', page)]
    assert [title.text for title in drawing.iter("title")] == list(ordered(definition))
    assert len([path for path in drawing.iter("path") if path.get("marker-end")]) == len(list(arrows(definition)))


@given(ODD, ODD, ODD)
def test_no_name_breaks_the_page(first: str, second: str, value: str) -> None:
    if first == second:
        return
    steps = document(
        processing(first), gate(equals(value, 1), name=second, DependsOn=[first], then=[fail(value, "x" * 13)])
    )
    page = as_page(defined(steps), value)
    ElementTree.fromstring(SVG.search(page)[0])  # noqa: S314 - our own
    page.encode()
    assert len(re.findall("<section ", page)) == 3
    assert "<script" not in page


def test_a_pipeline_without_steps_and_one_in_a_cycle_are_drawn_too() -> None:
    assert "<svg" in as_page(defined(document()), "empty")
    cyclic = document(processing("B", DependsOn=["A"]), processing("A", DependsOn=["B"]))
    assert as_page(defined(cyclic), "cyclic").count("marker-end") == 2


def test_twice_the_steps_are_about_twice_the_work() -> None:
    def chain(count: int) -> None:
        names = [f"S{index}" for index in range(count)]
        laid_out(dict.fromkeys(names, 80.0), dict.fromkeys(pairwise(names), 20.0))

    assert lines_run(lambda: chain(800)) < 2.1 * lines_run(lambda: chain(400))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to look at the page with")
def test_chromium_has_nothing_to_complain_about(tmp_path: Path) -> None:
    file = tmp_path / "graph.html"
    file.write_text(as_page(definition_of("everything"), "everything"), encoding="utf-8")
    flags = "headless no-sandbox disable-gpu no-first-run disable-background-networking disable-component-update"
    command = [str(CHROMIUM), *(f"--{flag}" for flag in flags.split()), f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--enable-logging=stderr", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert "</svg>" in done.stdout
    assert "CONSOLE" not in done.stderr
