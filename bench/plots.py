"""The figures as pictures: small SVG files that read on light and dark pages, beside docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.rounds import Kind, Round

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "performance"
COLOURS = ("#00549f", "#57ab27", "#f6a800", "#cc071e", "#612158", "#0098a1", "#8c8c8c")
ROLES = ("gateway", "relay", "deliver", "seal", "PostgreSQL", "Kafka", "load generator")


def draw(closed: Mapping[Kind, Sequence[Round]], opened: Mapping[Kind, Sequence[Round]], folder: Path = FOLDER) -> None:
    """Draw throughput, processor time by role, and latencies at half the rate."""
    folder.mkdir(exist_ok=True)
    _saved(_rates(closed), folder / "throughput.svg")
    _saved(_processors(closed), folder / "processors.svg")
    _saved(_latencies(opened), folder / "latencies.svg")


def _rates(closed: Mapping[Kind, Sequence[Round]]) -> Figure:
    figure, axes = _framed(0.34 * len(closed) + 0.8)
    for place, found in enumerate(closed.values()):
        rates = [round_.rate for round_ in found]
        middle = median(rates)
        axes.barh(
            place, middle, color=COLOURS[0], xerr=[[middle - min(rates)], [max(rates) - middle]], ecolor="#8c8c8c"
        )
    _named(axes, [kind.name for kind in closed], "answers a second: median, least and most")
    return figure


def _processors(closed: Mapping[Kind, Sequence[Round]]) -> Figure:
    figure, axes = _framed(0.34 * len(closed) + 1.2)
    for place, found in enumerate(closed.values()):
        left = 0.0
        for role, colour in zip(ROLES, COLOURS, strict=True):
            width = median(round_.cpu_ms(role) for round_ in found)
            axes.barh(place, width, left=left, color=colour, label=role if place == 0 else None)
            left += width
    _named(axes, [kind.name for kind in closed], "milliseconds of processor for one transfer")
    axes.legend(
        ncols=4, fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), labelcolor="#777777"
    )
    return figure


def _latencies(opened: Mapping[Kind, Sequence[Round]]) -> Figure:
    figure, axes = _framed(2.4)
    for (kind, found), colour in zip(opened.items(), COLOURS, strict=False):
        latencies = sorted(1e3 * latency for round_ in found for latency in round_.latencies)
        shares = [100 * (number + 1) / len(latencies) for number in range(len(latencies))]
        step = max(len(latencies) // 400, 1)
        axes.plot(latencies[::step], shares[::step], color=colour, label=kind.name)
    axes.set_xscale("log")
    axes.set_ylabel("% answered", fontsize=8, color="#777777")
    axes.set_xlabel("milliseconds from when the request was due", fontsize=8, color="#777777")
    axes.legend(fontsize=7, frameon=False, labelcolor="#777777")
    return figure


def _framed(height: float) -> tuple[Figure, Axes]:
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "amtsbruecke"
    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(labelsize=8, colors="#777777")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _named(axes: Axes, names: Sequence[str], what: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(what, fontsize=8, color="#777777")


def _saved(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
