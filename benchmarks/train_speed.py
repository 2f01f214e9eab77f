"""How fast is `labkit.fit`? Images per second beside two loops that a student might write, as ratios in one run.

    labkit data fetch cifar10
    python benchmarks/train_speed.py [ROUNDS]

All train on the same CIFAR-10 images, batch 128, Adam; the network with three blocks (36,944 parameters), or an MLP:

- fit: `labkit.fit`, with flip and 4-pixel random crop drawn for each image; fit, plain: without
- bare: a loop by hand over normalised float tensors in memory, without augmentation
- tutorial, 0 or 2 workers: torchvision's data set with PIL transforms (crop, flip) in a DataLoader
- MLP: one hidden layer of 100, without augmentation in either loop
- AlexNet: `labkit.fit` on a tenth of the images, in float32 and in bf16

The contenders take turns in every round. A ratio is taken within each round, and its median over rounds counts:
what slows the machine for a while slows both. Then the cost of `import labkit`.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import labkit
from labkit.base.files import data_dir
from labkit.data.augment import Crop, Flip

IMAGES, BATCH = 12_800, 128


def fresh_model(name: str = "cnn") -> nn.Module:
    torch.manual_seed(0)
    return labkit.build(name, **({"blocks": 3} if name == "cnn" else {}))


def time_fit(train, augment=(), name: str = "cnn", precision: str = "float32") -> float:
    recipe = labkit.Recipe(epochs=1, batch_size=BATCH, augment=augment, precision=precision)
    return labkit.fit(fresh_model(name), train, None, recipe, device="cpu", progress=False).last["images_per_second"]


def time_bare(X, y) -> float:
    model = fresh_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began = time.perf_counter()
    order = torch.randperm(len(X))
    for start in range(0, len(X), BATCH):
        index = order[start : start + BATCH]
        loss = F.cross_entropy(model(X[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(X) / (time.perf_counter() - began)


def time_tutorial(loader, name: str = "cnn") -> float:
    model, criterion = fresh_model(name), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began, running_loss, count = time.perf_counter(), 0.0, 0
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        count += len(labels)
    return count / (time.perf_counter() - began)


def tutorial_loader(workers: int, augment: bool = True):
    from torchvision import datasets, transforms

    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()] if augment else []
    steps += [transforms.ToTensor(), transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))]
    data = datasets.CIFAR10(data_dir(), train=True, transform=transforms.Compose(steps))
    part = torch.utils.data.Subset(data, range(IMAGES))
    return torch.utils.data.DataLoader(part, batch_size=BATCH, shuffle=True, num_workers=workers)


def import_seconds() -> float:
    """Time what labkit and all that a notebook uses of it add, in a fresh process that has torch already."""
    code = (
        "import time, torch; began = time.perf_counter(); import labkit;"
        "labkit.fit, labkit.lab, labkit.build, labkit.load, labkit.trace; print(time.perf_counter() - began)"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main(rounds: int) -> None:
    train = labkit.load("cifar10").train.take(torch.arange(IMAGES))
    few = train.take(torch.arange(IMAGES // 10))
    X, y = next(iter(labkit.Batches(train, IMAGES)))
    X = X.contiguous()  # (B, C, H, W), as a beginner would have it
    contenders = {
        "fit": lambda: time_fit(train, (Flip(), Crop(4))),
        "fit, plain": lambda: time_fit(train),
        "bare": lambda: time_bare(X, y),
        "tutorial, 0 workers": lambda: time_tutorial(tutorial_loader(0)),
        "tutorial, 2 workers": lambda: time_tutorial(tutorial_loader(2)),
        "MLP fit": lambda: time_fit(train, name="mlp"),
        "AlexNet": lambda: time_fit(few, name="alexnet"),
        "AlexNet bf16": lambda: time_fit(few, name="alexnet", precision="bf16"),
        "MLP tutorial, 0": lambda: time_tutorial(tutorial_loader(0, augment=False), "mlp"),
        "MLP tutorial, 2": lambda: time_tutorial(tutorial_loader(2, augment=False), "mlp"),
    }
    speeds = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            speed = contender()
            if turn:  # the first round warms up
                speeds[name].append(speed)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds, images per second (median)")
    middle = {name: statistics.median(found) for name, found in speeds.items()}
    for name, speed in middle.items():
        print(f"  {name:20} {speed:7.0f}   ({min(speeds[name]):.0f} to {max(speeds[name]):.0f})")
    for what, others, wanted in (
        ("fit", ["bare"], 0.95),
        ("fit", ["fit, plain"], 0.95),
        ("fit", ["tutorial, 0 workers", "tutorial, 2 workers"], 1.8),
        ("MLP fit", ["MLP tutorial, 0", "MLP tutorial, 2"], 6),
        ("AlexNet bf16", ["AlexNet"], 1),
    ):
        best = [max(turn) for turn in zip(*(speeds[name] for name in others), strict=True)]
        ratio = statistics.median(ours / other for ours, other in zip(speeds[what], best, strict=True))
        print(f"{what} / {' or '.join(others):42} {ratio:.2f}   (wanted: at least {wanted})")
    extra = statistics.median(import_seconds() for _ in range(rounds))
    print(f"import labkit adds {extra:.2f} s to import torch (wanted: at most 0.3 s)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
