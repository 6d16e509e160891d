"""Figures: each function takes plain arrays and returns a matplotlib Figure that can be read without the code.

Colours mean the same in every figure: data, model, bound and reference have one each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

COLOURS = {"data": "#1b6ca8", "model": "#d1495b", "bound": "#edae49", "reference": "#5a5a5a"}
SERIES = ("#1b6ca8", "#d1495b", "#2e8b57", "#edae49", "#7b5ea7")


def save(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a figure as PNG, the same bytes for the same figure; OSError where the folder cannot be written."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})


def image_grid(images: np.ndarray, title: str, columns: int = 10, scale: float = 0.55) -> Figure:
    """Images side by side, row by row. images: (n, height, width) in [0, 1]."""
    n = len(images)
    rows = -(-n // columns)
    figure = Figure(figsize=(columns * scale, rows * scale + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    height, width = images.shape[1:]
    canvas = np.ones((rows * (height + 2) - 2, columns * (width + 2) - 2))
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + 2), (k % columns) * (width + 2)
        canvas[top:top + height, left:left + width] = 1 - np.clip(image, 0, 1)
    axes = figure.subplots()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return figure


def pairs(top: np.ndarray, bottom: np.ndarray, title: str, labels: tuple[str, str], scale: float = 0.6) -> Figure:
    """Two rows of images, one under the other. top, bottom: (n, height, width) in [0, 1]."""
    figure = Figure(figsize=(len(top) * scale + 1.1, 2 * scale + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(2, len(top))
    for row, images, label in zip(grid, (top, bottom), labels):
        for axes, image in zip(row, images):
            axes.imshow(1 - image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    return figure


def curves(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, xlabel: str,
           ylabel: str) -> Figure:
    """Lines over one axis. series: legend label -> (x, y)."""
    figure = Figure(figsize=(5.2, 3.1), layout="constrained")
    axes = figure.subplots()
    for colour, (label, (x, y)) in zip(SERIES, series.items()):
        axes.plot(x, y, "o-" if len(x) < 40 else "-", markersize=3, color=colour, label=label)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.title.set_fontsize(10)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.25)
    return figure


def warp(stages: Sequence[np.ndarray], titles: Sequence[str], title: str) -> Figure:
    """Points on their way through a flow, one panel a stage, coloured by the angle at which they began.

    stages: arrays (n, 2), the first the noise.
    """
    figure = Figure(figsize=(2.2 * len(stages), 2.6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    start = stages[0]
    angle = np.arctan2(start[:, 1], start[:, 0])
    for axes, points, name in zip(np.atleast_1d(figure.subplots(1, len(stages))), stages, titles):
        axes.scatter(points[:, 0], points[:, 1], c=angle, s=1.2, cmap="twilight", linewidths=0)
        reach = np.quantile(np.abs(points), 0.999) * 1.1
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    return figure


def scatter(points: np.ndarray, title: str) -> Figure:
    """Points in the plane. points: (n, 2)."""
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(points[:, 0], points[:, 1], s=4, color=COLOURS["model"], linewidths=0)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.title.set_fontsize(10)
    return figure


def density(log_prob: Callable[[np.ndarray], np.ndarray], points: np.ndarray, title: str, reach: float = 3.0) -> Figure:
    """A 2-D density beside the data it was fitted to. log_prob: (n, 2) -> (n,) nats; points: (n, 2)."""
    figure = Figure(figsize=(6.2, 3.0), layout="constrained")
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2)
    left.scatter(points[:, 0], points[:, 1], s=1.5, color=COLOURS["data"], linewidths=0)
    left.set_title("data", fontsize=9)
    side = np.linspace(-reach, reach, 160)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    heat = np.exp(log_prob(grid)).reshape(160, 160)
    image = right.pcolormesh(side, side, heat, cmap="magma", rasterized=True)
    right.set_title("model density $p(x)$", fontsize=9)
    figure.colorbar(image, ax=right, label="density per unit area")
    for axes in (left, right):
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    return figure


def filters(weights: np.ndarray, shape: tuple[int, int], title: str, columns: int = 10) -> Figure:
    """The receptive field of every hidden unit. weights: (visible, hidden); red is positive, blue negative."""
    n = weights.shape[1]
    rows = -(-n // columns)
    figure = Figure(figsize=(columns * 0.62 + 0.8, rows * 0.62 + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    norm = CenteredNorm(halfrange=float(np.quantile(np.abs(weights), 0.995)) or 1.0)
    grid = np.atleast_2d(figure.subplots(rows, columns))
    for k, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if k < n:
            image = axes.imshow(weights[:, k].reshape(shape), cmap="RdBu_r", norm=norm, interpolation="nearest")
    figure.colorbar(image, ax=grid, label="weight", shrink=0.8)
    return figure
