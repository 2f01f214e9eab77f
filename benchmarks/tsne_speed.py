"""Which t-SNE? openTSNE beside scikit-learn's, on digits of MNIST, as ratios in one run.

    labkit data fetch mnist
    python benchmarks/tsne_speed.py [ROUNDS] [POINTS ...]

Both get the same 50 principal components, perplexity 30, and all threads. They take turns; the median of the ratios
within a round counts. Beside the time stand the scores of both planes.
"""

import statistics
import sys
import time

import numpy as np
import torch

import labkit
from labkit.analysis.embed import PCA_TO, scores


def planes(rows: np.ndarray) -> dict:
    from openTSNE import TSNE as OpenTSNE
    from sklearn.manifold import TSNE

    return {
        "openTSNE": lambda: np.array(OpenTSNE(perplexity=30, random_state=0, n_jobs=-1).fit(rows)),
        "scikit-learn": lambda: TSNE(perplexity=30, random_state=0, n_jobs=-1).fit_transform(rows),
    }


def main(rounds: int, points: list[int]) -> None:
    from sklearn.decomposition import PCA

    train = labkit.load("mnist").train
    print(f"{torch.get_num_threads()} threads, {rounds} rounds, seconds (median)")
    for count in points:
        some = train.per_class(count // 10)
        rows = PCA(PCA_TO, random_state=0).fit_transform(some.images.flatten(1).numpy() / 255)  # (N, 50)
        seconds, found = {"openTSNE": [], "scikit-learn": []}, {}
        for _ in range(rounds):
            for name, make in planes(rows).items():
                began = time.perf_counter()
                found[name] = make()
                seconds[name].append(time.perf_counter() - began)
        for name, times in seconds.items():
            score = scores(rows, found[name], some.labels.numpy())
            print(f"  {count:6} {name:13} {statistics.median(times):6.1f}   {score}")
        ratios = [slow / fast for fast, slow in zip(*seconds.values(), strict=True)]
        print(f"  {count:6} scikit-learn / openTSNE {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, [int(n) for n in sys.argv[2:]] or [2_000, 10_000])
