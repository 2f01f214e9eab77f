"""Every figure of the book, each with an alternative text made from its data.

Figures of runs (runs.py), of luck (luck.py), of layers (layers.py), of images (images.py), of what a network answers
(answers.py), of accuracy against cost (cost.py), of a look into a training (training.py) and of a search (search.py);
points with their images under the pointer (hover.py). Not here: the numbers that they show. Read base.py first: what
they share.
"""

from labkit.plots.answers import confusion, learning_curve, mistakes, plane, planes, recorded_planes
from labkit.plots.base import PALETTE, Picture
from labkit.plots.cost import trade_off
from labkit.plots.hover import hover_plane
from labkit.plots.images import class_maps, feature_maps, filters, samples, versions
from labkit.plots.interactive import Hover
from labkit.plots.layers import fields, layer_shares, windows
from labkit.plots.luck import power_curves, strips
from labkit.plots.runs import bars, curves, intervals
from labkit.plots.search import best_so_far, heat_map, importance, parallel, slices, taps
from labkit.plots.training import gradient_flow, range_test

__all__ = [
    "PALETTE",
    "Hover",
    "Picture",
    "bars",
    "best_so_far",
    "class_maps",
    "confusion",
    "curves",
    "feature_maps",
    "fields",
    "filters",
    "gradient_flow",
    "heat_map",
    "hover_plane",
    "importance",
    "intervals",
    "layer_shares",
    "learning_curve",
    "mistakes",
    "parallel",
    "plane",
    "planes",
    "power_curves",
    "range_test",
    "recorded_planes",
    "samples",
    "slices",
    "strips",
    "taps",
    "trade_off",
    "versions",
    "windows",
]
