"""Every figure of the book, each with an alternative text made from its data.

Figures of runs (runs.py), of layers (layers.py), of images (images.py), of what a network answers
(answers.py) and of a look into a training (training.py);
points with their images under the pointer (hover.py); what they share is in base.py.
"""

from labkit.plots.answers import confusion, learning_curve, mistakes, plane, planes, recorded_planes
from labkit.plots.base import PALETTE, Picture
from labkit.plots.hover import Hover, hover_plane
from labkit.plots.images import class_maps, feature_maps, filters, samples, versions
from labkit.plots.layers import fields, layer_shares, windows
from labkit.plots.runs import bars, curves, intervals
from labkit.plots.training import gradient_flow, range_test

__all__ = [
    "PALETTE", "Hover", "Picture", "bars", "class_maps", "confusion", "curves", "feature_maps", "fields", "filters",
    "gradient_flow", "hover_plane", "intervals", "layer_shares", "learning_curve", "mistakes", "plane", "planes",
    "range_test", "recorded_planes", "samples", "versions", "windows",
]  # fmt: skip
