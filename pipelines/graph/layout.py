"""Where the boxes of a drawing stand: names, widths and arrows in; places, and the points of each arrow, out.

Layers from top to bottom (Sugiyama's method): a box lies below all that point at it; in a layer, boxes stand near the
middle of their neighbours, so that few arrows cross. An arrow over several layers bends where it passes each, and has
room for its words at the last of these places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Point = tuple[float, float]
Pair = tuple[str, str]

HEIGHT: Final = 44.0
"""Of a box, in pixels, as all of these."""
_GAP: Final = 28.0
_LAYER: Final = 112.0
_SWEEPS: Final = 8
_MOST_BENDS: Final = 20_000
"""Beyond, long arrows go straight: nobody could follow them anyway."""


@dataclass(frozen=True)
class Layout:
    """The centre of each box; the points of each arrow, centres of boxes at its ends; the size of the whole.

    The words of an arrow stand at the last of its bends; of one without, halfway.
    """

    places: Mapping[str, Point]
    routes: Mapping[Pair, tuple[Point, ...]]
    width: float
    height: float


@dataclass(frozen=True)
class _Bend:
    """Where an arrow passes a layer."""

    pair: Pair
    layer: int
    width: float


_Item = str | _Bend


def laid_out(widths: Mapping[str, float], arrows: Mapping[Pair, float]) -> Layout:
    """Takes the widths of boxes, in the order of running, and of the words of arrows."""
    layer_of = _layers(list(widths), arrows)
    chains: dict[Pair, tuple[_Item, ...]] = {
        pair: (pair[0], *_bends(pair, layer_of, words), pair[1]) for pair, words in arrows.items()
    }
    if sum(map(len, chains.values())) > _MOST_BENDS:
        chains = {pair: pair for pair in chains}
    layers: list[list[_Item]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name, layer in layer_of.items():
        layers[layer].append(name)
    for bend in (item for chain in chains.values() for item in chain if isinstance(item, _Bend)):
        layers[bend.layer].append(bend)
    near = _neighbours(chains.values())
    for sweep in range(_SWEEPS):
        _sort(layers[:: -1 if sweep % 2 else 1], near)
    half = {item: (widths[item] if isinstance(item, str) else item.width) / 2 for layer in layers for item in layer}
    middles = _middles(layers, near, half)
    edges = [middles[item] + side * half[item] for item in half for side in (-1, 1)]
    left, right = min(edges, default=0.0) - _GAP, max(edges, default=0.0) + _GAP
    heights = {item: _GAP + HEIGHT / 2 + _LAYER * at for at, items in enumerate(layers) for item in items}
    points = {item: (middles[item] - left, heights[item]) for item in heights}
    return Layout(
        {name: points[name] for name in widths},
        {pair: tuple(points[item] for item in chain) for pair, chain in chains.items()},
        right - left,
        max(heights.values(), default=0.0) + HEIGHT / 2 + _GAP,
    )


def _layers(names: Sequence[str], pairs: Iterable[Pair]) -> dict[str, int]:
    """The length of the longest way to each box."""
    position = {name: at for at, name in enumerate(names)}
    found = dict.fromkeys(names, 0)
    for upstream, downstream in sorted(pairs, key=lambda pair: position[pair[0]]):
        if position[upstream] < position[downstream]:
            found[downstream] = max(found[downstream], found[upstream] + 1)
    return found


def _bends(pair: Pair, layer_of: Mapping[str, int], words: float) -> tuple[_Bend, ...]:
    first, last = (layer_of[name] for name in pair)
    step = 1 if first <= last else -1
    return tuple(_Bend(pair, at, words if at == last - step else 0) for at in range(first + step, last, step))


def _neighbours(chains: Iterable[Sequence[_Item]]) -> dict[_Item, list[_Item]]:
    found: dict[_Item, list[_Item]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def _sort(layers: Sequence[list[_Item]], near: Mapping[_Item, Sequence[_Item]]) -> None:
    """Each layer by the mean place of its neighbours in the one before it."""
    for before, layer in pairwise(layers):
        place = {item: at / max(len(before) - 1, 1) for at, item in enumerate(before)}
        own = {item: at / max(len(layer) - 1, 1) for at, item in enumerate(layer)}
        layer.sort(key=lambda item: _mean([place[one] for one in near.get(item, ()) if one in place], own[item]))


def _middles(
    layers: Sequence[Sequence[_Item]], near: Mapping[_Item, Sequence[_Item]], half: Mapping[_Item, float]
) -> dict[_Item, float]:
    """The middle of every item, near those of its neighbours, in the order of its layer and clear of the next."""
    found: dict[_Item, float] = dict.fromkeys(half, 0.0)
    for sweep in range(_SWEEPS):
        for layer in layers[:: -1 if sweep % 2 else 1]:
            offsets = [0.0]
            for one, other in pairwise(layer):
                offsets.append(offsets[-1] + half[one] + _GAP + half[other])
            wanted = [_mean([found[one] for one in near.get(item, ())], found[item]) for item in layer]
            free = _rising([want - offset for want, offset in zip(wanted, offsets, strict=True)])
            found.update(zip(layer, (start + offset for start, offset in zip(free, offsets, strict=True)), strict=True))
    return found


def _rising(values: Sequence[float]) -> list[float]:
    """The numbers next to `values`, by the sum of squares, of which none is below the one before."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    return [mean for mean, count in blocks for _ in range(count)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
