"""Lab 10: what a network brings along from ImageNet: routes of transfer, with all images and with few."""

from labkit.catalogue.common import SMALL
from labkit.data.augment import ColorJitter, Crop, Flip, Rotate
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.records.claims import Claim, Difference
from labkit.training.recipe import Recipe

_PRETRAINED = {"pretrained": True}

_SVM = {"head": "svm", "epochs": 1, "body_lr": None}

# a hundred images a class, as of the photographs, but of things that look like nothing in ImageNet
_CLOTHES = {
    "name": SMALL,
    "classes": ["pullover", "coat"],
    "image_size": 64,
    "draw_per_class": 100,
    "draw_split": False,
}

_OTHER_PHOTOGRAPHS = "cannot be judged: other photographs"

_PHOTO_AUGMENT = (Flip(), Crop(16), Rotate(15), ColorJitter())


def _few(name: str, changes: dict) -> list[Arm]:
    """Return the arms of a learning curve: the same route with few labelled images of each class.

    Fewer images make fewer steps an epoch; more epochs make that up, to 70 to 90 steps.
    """
    return [
        Arm(
            f"{name}, {count} a class",
            "backbone",
            _PRETRAINED,
            {"epochs": epochs} | changes,
            {"draw_per_class": count},
            full_only=True,
        )
        for count, epochs in ((5, 80), (10, 40), (20, 30), (50, 10))
    ]


_A_PHOTOGRAPH = {"margin": 1.0, "why": "An error of the line is a photograph on its wrong side: less than one is none."}

LAB = Lab(
    name="10-transfer-learning",
    title="Transfer learning: what does a network bring along from ImageNet?",
    sections=("uam.transfer",),
    arms=(
        Arm("scratch", "backbone", {}, {"body_lr": None}, embed=("body",)),
        Arm("pretrained_svm", "backbone", _PRETRAINED, _SVM, embed=("body",)),
        Arm("fine_tuned", "backbone", _PRETRAINED, embed=("body",)),
        Arm("fine_tuned_augmented", "backbone", _PRETRAINED, {"augment": _PHOTO_AUGMENT}, embed=("body",)),
        Arm("zero-shot", "backbone", _PRETRAINED, {"head": "imagenet", "epochs": 1}, full_only=True),
        *_few("svm", _SVM),
        *_few("fine-tuned", {}),
        Arm("clothes, svm", "backbone", _PRETRAINED, _SVM, _CLOTHES, full_only=True),
        Arm("clothes, fine-tuned", "backbone", _PRETRAINED, images=_CLOTHES, full_only=True),
    ),
    quick=Budget(
        Images(SMALL, train_per_class=40, image_size=48, classes=("pullover", "coat")),
        Recipe(epochs=3, batch_size=16, body_lr=1e-4),
        seeds=1,
    ),
    full=Budget(Images("hymenoptera", draw_split=True), Recipe(epochs=10, batch_size=16, body_lr=1e-4), seeds=5),
    figures=tuple(
        Figure("uam.transfer", (route,), route, "test_acc", why_not=_OTHER_PHOTOGRAPHS)
        for route in ("scratch", "pretrained_svm", "fine_tuned", "fine_tuned_augmented")
    ),
    claims=(
        Claim(
            "uam",
            "From scratch overlaps: more errors of the line than with pretrained features",
            Difference("line_errors", "scratch", "pretrained_svm"),
            "higher",
            **_A_PHOTOGRAPH,
        ),
        Claim(
            "uam",
            "Fine-tuning separates better than pretrained features (errors of the line)",
            Difference("line_errors", "fine_tuned", "pretrained_svm"),
            "lower",
            **_A_PHOTOGRAPH,
        ),
        Claim(
            "uam",
            "Augmentation separates better than fine-tuning alone (errors of the line)",
            Difference("line_errors", "fine_tuned_augmented", "fine_tuned"),
            "lower",
            **_A_PHOTOGRAPH,
        ),
    ),
)
