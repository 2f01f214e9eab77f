"""What does each transform cost, beside kornia and torchvision.transforms.v2? Ratios in one run.

    pip install --no-deps kornia==0.9.0 kornia_rs==0.2.0
    python benchmarks/transform_speed.py [ROUNDS]

All get the same batch: 128 colour images of 32 x 32 pixels, float32. Every image has draws of its own: labkit
and kornia draw them for the batch; torchvision draws once a call, so it is called image by image. (Normalize
draws nothing: torchvision gets the whole batch.) The contenders take turns; the median over rounds counts.
Wanted: labkit at least as fast as the faster of the other two.
"""

import statistics
import sys
import time

import torch
from kornia import augmentation as kornia
from torchvision.transforms import InterpolationMode, v2

from labkit.data import augment

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SMOOTH = InterpolationMode.BILINEAR
COLOUR = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}
CONTENDERS = {  # name: ours, kornia's, torchvision's
    "flip": (augment.Flip(), kornia.RandomHorizontalFlip(), v2.RandomHorizontalFlip()),
    "crop": (augment.Crop(4), kornia.RandomCrop((32, 32), padding=4), v2.RandomCrop(32, padding=4)),
    "rotate": (augment.Rotate(15), kornia.RandomRotation(15.0, p=1.0), v2.RandomRotation(15, SMOOTH)),
    "perspective": (
        augment.Perspective(0.5),
        kornia.RandomPerspective(0.5, p=0.5),
        v2.RandomPerspective(0.5, interpolation=SMOOTH),
    ),
    "color_jitter": (augment.ColorJitter(**COLOUR), kornia.ColorJitter(**COLOUR, p=1.0), v2.ColorJitter(**COLOUR)),
    "cutout": (
        augment.Cutout(8),
        kornia.RandomErasing(scale=(1 / 16, 1 / 16), ratio=(1.0, 1.0), value=0.5, p=1.0),
        v2.RandomErasing(scale=(1 / 16, 1 / 16), ratio=(1.0, 1.0), value=0.5, p=1.0),
    ),
    "normalize": (
        augment.Normalize(MEAN, STD),
        kornia.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        v2.Normalize(MEAN, STD),
    ),
}


def seconds(call, X, repeats: int = 5) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        call(X)
    return (time.perf_counter() - began) / repeats


def one_by_one(transform):
    return lambda X: torch.stack([transform(x) for x in X])


def main(rounds: int) -> None:
    torch.manual_seed(0)
    X = torch.rand(128, 3, 32, 32)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds, ms a batch of 128 (median)")
    print(f"{'transform':14}{'labkit':>8}{'kornia':>8}{'v2':>8}   faster of the two / labkit")
    for name, (ours, theirs, vision) in CONTENDERS.items():
        calls = [ours, theirs, vision if name == "normalize" else one_by_one(vision)]
        times = [[seconds(call, X) for call in calls] for _ in range(rounds + 1)][1:]  # the first round warms up
        middle = [1000 * statistics.median(column) for column in zip(*times, strict=True)]
        ratio = min(middle[1:]) / middle[0]
        print(f"{name:14}" + "".join(f"{ms:8.2f}" for ms in middle) + f"   {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
