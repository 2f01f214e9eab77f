"""Lab 02: trains nothing; it works out what comes out of convolutions, as the third source does."""

from labkit.experiments.design import Lab

LAB = Lab(name="02-output-sizes", title="Sizes: what comes out of a convolution?", sections=("itba.conv_out",))
