"""A worker on a small grid, for test_search.py: started as a process of its own, so that it can be killed.

python -m tests.search_worker STORAGE HEARTBEAT [PAUSE]
"""

import sys
import time

from labkit.base.errors import LabkitError
from labkit.data.chosen import Images
from labkit.experiments.design import Budget
from labkit.search import grid, queue, storage
from labkit.training.recipe import Recipe

SMALL = Budget(Images("fashion-mnist-small", train_per_class=4), Recipe(epochs=2, batch_size=20), 1)
GRID = grid.Search(
    name="test-grid",
    model="mlp",
    options={"hidden": [8]},
    space={"recipe.lr": (1e-3, 3e-3, 1e-2), "recipe.batch_size": (10, 20), "data.image_size": (8, 12)},
    quick=SMALL,
    full=SMALL,
)


def main(address: str, heartbeat: int, pause: float = 0.0) -> None:
    storage.HEARTBEAT, storage.PATIENCE, queue.PAUSE = heartbeat, 3 * heartbeat, 0.2
    queue.AHEAD = 3  # so that several workers put points into the study again and again

    def tell(run) -> None:
        print(f"finished {run.arm} trial {run.trial}", flush=True)
        time.sleep(pause)  # so that a test can strike between two points

    print("working", flush=True)
    try:
        print("trained", queue.work(GRID, "quick", storage=address, device="cpu", report=tell), flush=True)
    except LabkitError as error:
        sys.exit(f"labkit: {error}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:]))
