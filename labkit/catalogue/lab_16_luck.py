"""Lab 16: one network many times, to see what luck alone does; and a comparison whose true difference is zero."""

from labkit.catalogue.common import SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.training.recipe import Recipe

_CNN = {"blocks": 2}

_MLP = {"hidden": [50]}

# A hundred training images of each class are drawn from the seed: the bundled images come with their validation set.
_DRAWN = Images(SMALL, draw_per_class=100)

_RECIPE = Recipe(epochs=6, batch_size=50, lr=2e-3)

LAB = Lab(
    name="16-luck",
    title="Luck: how many times must one run it?",
    sections=(),
    arms=(
        Arm("all", "cnn", _CNN),
        Arm("weights", "cnn", _CNN, fixed=("order", "images"), seeds=50),
        Arm("order", "cnn", _CNN, fixed=("weights", "images"), seeds=50),
        Arm("images", "cnn", _CNN, fixed=("weights", "order"), seeds=50),
        Arm("nothing", "cnn", _CNN, fixed=("weights", "order", "images"), seeds=2),
        # the same network on images whose pixels are all moved alike: for an MLP this is the same experiment
        Arm("mlp", "mlp", _MLP, seeds=100),
        Arm("mlp, shuffled", "mlp", _MLP, images={"shuffle_pixels": 0}, seeds=100),
    ),
    quick=Budget(_DRAWN, _RECIPE, seeds=5),
    full=Budget(_DRAWN, _RECIPE, seeds=138),  # as many as the third source's search has runs
)
