"""The optimizers that a recipe can name; all of them are torch's, Muon with AdamW beside it.

Not here: learning rates over time (schedules.py).
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from labkit.base.errors import ConfigError

if TYPE_CHECKING:
    from labkit.training.recipe import Recipe

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw", "muon")


def make_optimizer(model: nn.Module, recipe: "Recipe") -> torch.optim.Optimizer:
    """Return the optimizer of a recipe. `fused` does the whole update in one kernel: same formula, faster."""
    settings: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if next(model.parameters()).device.type in ("cpu", "cuda"):
        settings["fused"] = True
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **settings)
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, recipe.lr, recipe.weight_decay)
    if recipe.optimizer == "rmsprop":  # as Keras has it, whose default epsilon is another than torch's
        return torch.optim.RMSprop(groups, recipe.lr, alpha=0.9, eps=1e-7, weight_decay=recipe.weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(groups, **settings)


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon for the matrices of hidden linear layers, AdamW for all other parameters. Introduced in lab 12.

    Muon (Jordan and others, 2024) makes the singular values of an update equal. It is for matrices only, and not for
    those of the output layer. Both get the same learning rate; Muon's is scaled to updates as large as AdamW's
    (Liu and others, 2025).

    Args:
        model: the network; its last linear layer is taken for the output layer.
        lr, weight_decay: of both.

    Raises:
        ConfigError: a torch without Muon, or a network without hidden linear layers.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float):
        if not hasattr(torch.optim, "Muon"):
            raise ConfigError(f"Muon needs torch 2.9 or newer, this is {torch.__version__}. Use adamw.")
        linear = [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)][:-1]
        if not linear:
            raise ConfigError(f"Muon is for hidden linear layers, and {type(model).__name__} has none. Use adamw.")
        rest = [p for p in model.parameters() if all(p is not weight for weight in linear)]
        settings: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        self.parts = [
            torch.optim.Muon(linear, adjust_lr_fn="match_rms_adamw", **settings),
            torch.optim.AdamW(rest, **settings),
        ]
        super().__init__(list(model.parameters()), settings)
        self._share_groups()

    def _share_groups(self) -> None:
        """Let a schedule that changes our groups change those of the parts: they are the same."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure=None):
        """Do one step of both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict:
        """Return the state of both."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict) -> None:
        """Set the state of both."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)
        self._share_groups()


def parameter_groups(model: nn.Module, recipe: "Recipe") -> list[dict]:
    """Return what an optimizer trains: all parameters, or the output layer and the body with a rate of its own."""
    if not recipe.body_lr:
        return [{"params": list(model.parameters())}]
    output: Any = model.output
    head = list(output.parameters())
    body = [p for name, p in model.named_parameters() if not name.startswith("output.")]
    return [{"params": head}, {"params": body, "lr": recipe.body_lr}]
