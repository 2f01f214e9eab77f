"""Which images a run trains on: the data set, and what is taken of it.

Not here: the sets themselves (images.py), transforms of a batch (augment.py).
"""

from dataclasses import dataclass, fields

from labkit.data.images import Splits, load


@dataclass(frozen=True)
class Images:
    """The images of a run: what it takes of a data set, in the order in which it is done.

    Attributes:
        name: the data set, as in `labkit.load`.
        train_per_class: how many training images of each class are used; None for all.
        val_per_class: how many validation images of each class are used; None for all.
        test_per_class: how many test images of each class are used; None for all.
        image_size: pixels that the images are resized to; None leaves them as they are.
        classes: the classes that are kept; empty for all.
        draw_split: whether each seed draws its own split between training and validation images.
        sklearn_split: the `random_state` of scikit-learn's `train_test_split`, which then puts a tenth of the training
            images aside, not of each class alike; None for the split of `labkit.load`.
        draw_per_class: training images of each class that are drawn from the run's seed; None for no draw.
        shuffle_pixels: the seed of one permutation of the pixels of all images; None leaves them in their order.
    """

    name: str
    train_per_class: int | None = None
    val_per_class: int | None = None
    test_per_class: int | None = None
    image_size: int | None = None
    classes: tuple[str, ...] = ()
    draw_split: bool = False
    sklearn_split: int | None = None
    draw_per_class: int | None = None
    shuffle_pixels: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))  # a record has a list

    def __str__(self) -> str:
        """Return the training images in words, as tables and figures name them."""
        classes = f" ({', '.join(self.classes)})" if self.classes else ""
        few = f", {self.train_per_class} a class" if self.train_per_class else ""
        return self.name + classes + few + (f", {self.image_size} px" if self.image_size else "")

    def load(self, seed: int = 0) -> Splits:
        """Load the images.

        Args:
            seed: of the run, for what is drawn.
        """
        splits = load(self.name, split_seed=seed if self.draw_split else 0, sklearn_split=self.sklearn_split)
        if self.classes:
            splits = Splits(*(part.only(*self.classes) for part in splits))
        if self.draw_per_class:
            splits = splits._replace(train=splits.train.per_class(self.draw_per_class, seed))
        for part in splits:
            if few := getattr(self, f"{part.split}_per_class"):
                splits = splits._replace(**{part.split: part.per_class(few)})
        if self.image_size:
            splits = Splits(*(part.resized(self.image_size) for part in splits))
        if self.shuffle_pixels is not None:
            splits = Splits(*(part.shuffled(self.shuffle_pixels) for part in splits))
        return splits

    def as_record(self) -> dict:
        """Return what a record keeps: the name, the number of training images, and what is not as usual."""
        kept = {name: list(value) if name == "classes" else value for name, value in vars(self).items()}
        usual = Images(self.name)
        return {
            name: value
            for name, value in kept.items()
            if name in ("name", "train_per_class") or getattr(self, name) != getattr(usual, name)
        }

    @classmethod
    def of(cls, record: dict) -> "Images":
        """Return the images of a record, which may know more of them, such as fingerprints."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in known})
