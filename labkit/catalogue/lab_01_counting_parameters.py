"""Lab 01: trains nothing; it counts the parameters of VGG-D by hand, as the first source does."""

from labkit.experiments.design import Lab

LAB = Lab(
    name="01-counting-parameters",
    title="Counting: how many parameters does VGG-16 have, and where?",
    sections=("uchile.vgg_d",),
)
