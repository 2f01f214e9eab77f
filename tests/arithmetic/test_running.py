"""Running a module to see its shapes and its work: without numbers where that goes, with zeros where it must be."""

import pytest
import torch
from torch import nn

from labkit.arithmetic.running import Ran, calls, run
from labkit.base.errors import ConfigError


class Own(nn.Module):
    """A module with a forward of its own, which keeps the batches that it was given."""

    def __init__(self, forward):
        super().__init__()
        self.layer, self.does, self.seen = nn.Linear(4, 2), forward, []

    def __deepcopy__(self, known):
        return self  # so that the batches are seen

    def forward(self, x):
        self.seen.append(x)
        return self.does(x)


@pytest.mark.parametrize(
    ("module", "shape", "ran"),
    [
        (nn.Linear(3, 2), (3,), Ran((2,), 6)),
        (nn.Conv2d(2, 4, 3), (2, 5, 5), Ran((4, 3, 3), 2 * 9 * 4 * 9)),
        (nn.Conv2d(3, 4, 3), (3, 5, 6), Ran((4, 3, 4), 3 * 9 * 4 * 12)),
        (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (4,), Ran((2,), 48)),
        (nn.Flatten(), (2, 3), Ran((6,), 0)),
    ],
)
def test_what_comes_out_and_what_it_takes(module, shape, ran):
    found = run(module, shape)
    assert found == ran
    assert isinstance(found.multiply_adds, int)
    assert module.training, "the module itself stays as it is"


@pytest.mark.parametrize(("shape", "batch"), [((2, 4), 3), ((3, 4), 2), ((4,), 2)])
def test_what_needs_numbers_gets_a_few_zeros(shape, batch):
    """As many as are not taken for the channels."""
    module = Own(lambda x: x * float(x.sum()))
    assert run(module, shape) == Ran(shape, 0)
    assert module.seen[0].device.type == "meta"
    assert len(module.seen[0]) > 100
    assert module.seen[-1].tolist() == torch.zeros(batch, *shape).tolist()
    assert len(module.seen) == 2


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: (x, x), "It returns a tuple, not a tensor. Use labkit.summary(model, size)."),
        (lambda x: x.sum(), "It makes () of a batch (2, 4): images are no longer apart."),
        (lambda x: x[:1], "It makes (1, 4) of a batch (2, 4): images are no longer apart."),
    ],
)
def test_what_gives_no_row_an_image_is_refused(forward, words):
    with pytest.raises(ConfigError) as refused:
        run(Own(forward), (4,))
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [(("It is bad.",), "It is bad"), ((), "ValueError"), (("One.\nTwo.",), "One"), (("...x",), "...x")],
)
def test_what_a_forward_says_is_told_in_one_sentence(said, words):
    def fails(x):
        raise ValueError(*said)

    for ask in (run, calls):
        with pytest.raises(ConfigError) as refused:
            ask(Own(fails), (4,))
        assert str(refused.value) == f"Torch refuses it: {words}."


def test_the_shapes_that_go_into_each_part_are_those_of_its_first_call():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    assert calls(net, (3, 8, 8)) == {"": (3, 8, 8), "0": (3, 8, 8), "1": (4, 6, 6), "2": (144,)}
