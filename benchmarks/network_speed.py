"""How fast do the deep networks train? Images per second of the same loop with two networks, as ratios in one run.

    python benchmarks/network_speed.py [ROUNDS]

A step is forward, loss, backward and an update by SGD, on random images of 32 pixels in batches of 32:

- ResNet-18 with the CIFAR stem: plain float32, float32 channels-last, and bf16 autocast channels-last
- ResNet-18 and GoogLeNet with the ImageNet stem, beside torchvision's modules of the same weights and shapes

The contenders take turns in every round; a ratio is taken within each round, and its median over rounds counts. The
first ratio is only wanted of a processor with instructions for bf16; without them bf16 is slower.
"""

import statistics
import sys
import time
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

import labkit

STEPS, BATCH = 4, 32
LAST = torch.channels_last


def time_steps(model: nn.Module, layout=torch.contiguous_format, bf16: bool = False) -> float:
    """Return images per second of `STEPS` steps, after one that warms up."""
    model = model.train().to(memory_format=layout)
    X = torch.randn(BATCH, 3, 32, 32).contiguous(memory_format=layout)  # (B, C, H, W)
    y = torch.randint(10, (BATCH,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for step in range(STEPS + 1):
        if step == 1:
            began = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
    return STEPS * BATCH / (time.perf_counter() - began)


def networks() -> dict[str, nn.Module]:
    """Return our networks and torchvision's; those of one pair have the same layers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision announces another start of the weights
        theirs = models.googlenet(num_classes=10, aux_logits=False, init_weights=False)
    return {
        "resnet, CIFAR stem": labkit.build("resnet"),
        "our resnet": labkit.build("resnet", stem="imagenet"),
        "torchvision's resnet": models.resnet18(num_classes=10),
        "our googlenet": labkit.build("googlenet", stem="imagenet", auxiliary=False),
        "torchvision's googlenet": theirs,
    }


def main(rounds: int) -> None:
    nets = networks()
    small = nets.pop("resnet, CIFAR stem")
    contenders = {
        "resnet, plain float32": (small,),
        "resnet, channels-last float32": (small, LAST),
        "resnet, channels-last bf16": (small, LAST, True),
    } | {name: (net, LAST) for name, net in nets.items()}
    found = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, how in contenders.items():
            speed = time_steps(*how)
            if turn:  # the first round warms up
                found[name].append(speed)
    bf16 = labkit.training.device.pick_precision("auto", torch.device("cpu")) == "bf16"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, bf16 instructions: {'yes' if bf16 else 'no'}")
    for name, speeds in found.items():
        print(f"  {name:30} {statistics.median(speeds):6.0f} images/s   ({min(speeds):.0f} to {max(speeds):.0f})")
    for ours, other, wanted in (
        ("resnet, channels-last bf16", "resnet, plain float32", "at least 1.5 with bf16 instructions"),
        ("our resnet", "torchvision's resnet", "at least 1"),
        ("our googlenet", "torchvision's googlenet", "at least 1"),
    ):
        ratio = statistics.median(a / b for a, b in zip(found[ours], found[other], strict=True))
        print(f"{ours} / {other}: {ratio:.2f}   (wanted: {wanted})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
