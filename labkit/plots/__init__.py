"""Every figure of the book, each with an alternative text made from its data.

Figures of runs (runs.py), of layers (layers.py) and of images (images.py); what they share is in base.py.
"""

from labkit.plots.base import PALETTE, Picture
from labkit.plots.images import class_maps, feature_maps, filters, samples, versions
from labkit.plots.layers import fields, layer_shares, windows
from labkit.plots.runs import bars, curves, intervals

__all__ = [
    "PALETTE", "Picture", "bars", "class_maps", "curves", "feature_maps", "fields", "filters", "intervals",
    "layer_shares", "samples", "versions", "windows",
]  # fmt: skip
