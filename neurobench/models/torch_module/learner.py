"""Training of a torch module."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from neurobench.config.errors import UserError
from neurobench.config.targets import load
from neurobench.data.dataset import Batch, Split
from neurobench.kernels.random import derive
from neurobench.models.common.exchange import Network
from neurobench.models.common.moves import moved
from neurobench.models.common.supervised import measured, of_task, require_shapes, training_loss
from neurobench.models.common.training import FACTORS
from neurobench.models.learner import Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.torch_module.spec import TASK, WITH_MOMENTUM, TorchModule, given

_DRAW, _MOVE, _PREDICT = range(3)  # purposes of random draws
_ROUNDING = 0.01  # of the largest score: more than bfloat16 rounds in batches of different sizes
_GENERATORS = threading.RLock()  # of torch; a module may predict with another run's
OPTIMIZERS = {
    "adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop",
    "adagrad": "Adagrad", "nadam": "NAdam", "radam": "RAdam",
}  # fmt: skip


class TorchModuleLearner:
    """Learner of a torch module; see `neurobench.models.learner.Learner`."""

    def __init__(self, spec: TorchModule, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds, self.device = spec, task, seeds, device
        with seeded(seeds.init, device):
            self.net = self._made().to(device)
            self._try_out()  # still `seeded`, since lazy layers draw their weights here
        options = {"momentum": spec.momentum} if spec.optimizer in WITH_MOMENTUM else {}
        parameters = list(self.net.parameters())
        if not any(parameter.requires_grad for parameter in parameters):
            raise UserError(f"model.module={spec.module} has no parameters that are learned: there is nothing to learn")
        optimizer = getattr(torch.optim, OPTIMIZERS[spec.optimizer])
        self.optimizer = optimizer(parameters, lr=spec.lr, weight_decay=spec.weight_decay, **options)

    def _made(self) -> nn.Module:
        target = load(self.spec.module)
        arguments = given(target, {name: getattr(self.task, name) for name in TASK})
        try:
            return target(**{**arguments, **(self.spec.arguments or {})})
        except Exception as error:  # third-party code may raise anything
            raise self._fault("cannot be made with model.arguments", error) from error

    @torch.no_grad()
    def _try_out(self) -> None:
        """Run two samples of zeros, and one. Raises UserError if the module does not return logits."""
        self.net.eval()
        for n, words in ((2, "two samples"), (1, "one sample")):
            try:
                logits = self.net(torch.zeros(n, *self.task.shape, device=self.device))
            except Exception as error:  # third-party code may raise anything
                flat = f". With model.layout=vector they are ({prod(self.task.shape)},)"
                remedy = flat if self.spec.layout == "image" else ""
                what = f"cannot read {'samples' if n > 1 else words} of {self.task.shape}"
                raise self._fault(what, error, remedy) from error
            self._require_logits(logits, n, words)

    def _require_logits(self, logits: Any, n: int, words: str) -> None:
        """Check what the module returned for n samples. Raises UserError if it is anything but scores (n, classes)."""
        wanted = (n, self.task.n_classes)
        if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UserError(
                f"model.module={self.spec.module} returns {shape} for {words}, not {wanted}: one score for each of "
                f"the {self.task.n_classes} classes. Its constructor may have a parameter n_classes."
            )

    @torch.no_grad()
    def _warn_of_odd_scores(self) -> None:
        """Warn if scores of a sample do not depend on the sample alone, or are probabilities."""
        pair = self._pair().to(self.device)
        self.net.eval()
        with seeded(self.seeds.init, self.device):
            scores, again, alone = (self.net(x.clone()) for x in (pair, pair, pair[:1]))
        allowed = _ROUNDING * float(scores.abs().max())
        if bool((scores - again).abs().max() > allowed):
            odd = "gives equal samples different scores in evaluation; functional dropout needs training=self.training"
        elif bool((scores[:1] - alone).abs().max() > allowed):
            odd = "gives a sample scores that depend on the other samples of its batch, in evaluation too"
        elif scores.shape[1] > 1 and bool((scores >= 0).all()) and bool((scores.sum(1) - 1).abs().max() < 1e-5):
            odd = "returns probabilities, to which the loss applies softmax once more; forward() should return logits"
        else:
            return
        warnings.warn(f"model.module={self.spec.module} {odd}", stacklevel=2)

    @torch.no_grad()
    def _warn_of_unsaved_state(self) -> None:
        """Warn if a copy with the module's state_dict gives other scores: a checkpoint would not restore the module."""
        odd = "has a state that is not in its state_dict (make it a parameter or a buffer)"
        try:
            with seeded(self.seeds.init, self.device):
                copied = self._made().to(self.device)
            copied.load_state_dict(self.net.state_dict())
            with seeded(derive(self.seeds.training, _PREDICT), self.device):
                restored = copied.eval()(self._pair().to(self.device))
        except Exception as error:  # third-party code may raise anything
            odd = f"cannot be restored from its state_dict ({error!s:.300})"
        else:
            scores = self.predict(self._pair())
            if not bool((scores - restored).abs().max() > _ROUNDING * float(scores.abs().max())):  # or not finite
                return
        warnings.warn(
            f"model.module={self.spec.module} {odd}: predictions of the stored run, and a resumed run, will differ",
            stacklevel=3,
        )

    def _pair(self) -> Tensor:
        return torch.rand(2, *self.task.shape, generator=torch.Generator().manual_seed(0))

    def _fault(self, what: str, error: Exception, remedy: str = "") -> UserError:
        return UserError(f"model.module={self.spec.module} {what} ({type(error).__name__}: {error!s:.300}){remedy}")

    def start(self, train: Split, initial: Initial | None) -> None:
        """Warn of scores that are no logits of one sample each. Initial values do not depend on the data."""
        self._warn_of_odd_scores()

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take one step of the optimiser on the batch's mean cross-entropy."""
        spec, y = self.spec, batch.y.to(self.device)
        x = moved(of_task(batch.x, self.task, self.device), spec.jitter, derive(self.seeds.training, _MOVE, at.k))
        self.net.train()
        self.optimizer.zero_grad()
        with seeded(derive(self.seeds.training, _DRAW, at.k), self.device):
            logits = self._learning_from(x)
        loss, sums = training_loss(logits, y, spec.smoothing, at.k)
        if not loss.requires_grad:
            raise UserError(f"model.module={spec.module} returns scores that have no derivative by any parameter")
        loss.backward()
        for group in self.optimizer.param_groups:
            group["lr"] = spec.lr * FACTORS[spec.schedule](at.k, at.n)
        self.optimizer.step()
        return sums

    def _learning_from(self, x: Tensor) -> Tensor:
        """Logits of the module in training mode. Raises UserError if it cannot compute them."""
        try:
            logits = self.net(x)
        except Exception as error:  # third-party code may raise anything
            remedy = ". Set a training.batch_size that leaves no single sample for the last batch"
            raise self._fault(f"cannot learn from a batch of {len(x)}", error, remedy if len(x) == 1 else "") from error
        self._require_logits(logits, len(x), f"a batch of {len(x)} in training")
        return _at_least_float32(logits)

    def measure(self, batch: Batch) -> Sums:
        return measured(self.predict(batch.x), batch.y.to(self.device), self.spec.smoothing)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return the number of parameters; nothing is left to learn. Warns of a module that a checkpoint does not
        restore."""
        self._warn_of_unsaved_state()
        return {"parameters": float(sum(part.numel() for part in self.net.parameters()))}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Logits of the module in evaluation mode. If it draws random numbers, equal x get equal draws."""
        self.net.eval()
        with seeded(derive(self.seeds.training, _PREDICT), self.device):
            return _at_least_float32(self.net(of_task(x, self.task, self.device)))

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy({"net": dict(self.net.state_dict()), "optimizer": self.optimizer.state_dict()})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""
        require_shapes(self.net.state_dict(), state.get("net", {}))
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))


def exports(learner: TorchModuleLearner) -> Mapping[str, Callable[[], bytes]]:
    """Export formats of the module, from samples to logits."""
    name = f"model.module={learner.spec.module}"
    return Network(name, learner.net, learner.task.shape, learner.net.state_dict).formats()


def _at_least_float32(logits: Tensor) -> Tensor:
    """Logits in which losses can be summed: bfloat16 has three digits, and float16 ends at 65504."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Context manager: seed torch's generators, and restore their previous state afterwards. All threads share them:
    one at a time."""
    with _GENERATORS, torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
