"""Configuration of a torch module and of its training."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.targets import import_fault, in_python, outside_fault
from neurobench.data.dataset import Layout
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec

OURS = tuple(
    f"neurobench.models.torch_module.{name}" for name in ("networks.Affine", "networks.CNN", "quantized.QuantizedMLP")
)
TASK = ("shape", "n_classes")  # arguments passed to a module if its constructor takes them
WITH_MOMENTUM = ("sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class TorchModule(ModelSpec):
    """Samples -> logits of the classes, by a `torch.nn.Module` constructed as `module(**arguments)`.

    If its constructor takes them by name, it is also passed the `shape` of a sample and the number of classes,
    `n_classes`. Its random numbers come from torch's global generator, which is reseeded for each update.
    """

    opens: ClassVar[str] = "neurobench.models.torch_module.learner.TorchModuleLearner"
    operations: ClassVar[str] = "neurobench.models.torch_module.operations.operations"
    exports: ClassVar[str] = "neurobench.models.torch_module.learner.exports"
    formats: ClassVar[Mapping[str, str]] = FORMATS
    moves: ClassVar[Mapping[str, Any]] = {"jitter": 0}

    module: str
    arguments: Mapping[str, Any] | None
    layout: Literal["image", "vector"]
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam", "radam"]
    lr: Annotated[float, Bound(0, 1000, above=True)]
    schedule: Literal["constant", "linear", "cosine", "one_cycle"]
    momentum: Annotated[float, Bound(0, 1, below=True)]
    weight_decay: Annotated[float, Bound(0, 1000)]
    smoothing: Annotated[float, Bound(0, 1, below=True)]
    jitter: Annotated[int, Bound(0, 8)]

    @property
    def reads(self) -> tuple[Layout, ...]:  # type: ignore[override]
        return (self.layout,)

    @property
    def sources(self) -> tuple[str, ...]:
        return (*super().sources, self.module.rpartition(".")[0])

    def section_faults(self) -> list[Fault]:
        """Faults of the class and its arguments: whether it is allowed, is a module and takes the arguments."""
        if not isinstance(self.arguments, Mapping | None):
            return [("arguments", f"={self.arguments!r} is not a section of keys")]
        if not isinstance(self.module, str):
            return []  # reported for the field itself
        fault = outside_fault(self.module, OURS)
        if fault:
            return [("module", f"{fault} {_remedy(self.module.partition('.')[0])}")]
        return [] if self.module in OURS else _own_faults(self.module, self.arguments or {})

    def conflicts(self) -> list[Fault]:
        faults: list[Fault] = []
        if self.momentum and self.optimizer not in WITH_MOMENTUM:
            fault = f"={self.momentum} is for {' and '.join(WITH_MOMENTUM)}, not for optimizer={self.optimizer}: set 0"
            faults.append(("momentum", fault))
        if self.jitter and self.layout != "image":
            faults.append(("jitter", f"={self.jitter} moves images, and layout={self.layout}: set 0"))
        return faults


def _remedy(module: str) -> str:
    """How a user allows the code of a module."""
    if module == "__main__":
        return 'Write the class to a file, in a notebook with %%writefile mynet.py, and allow it: nb.allow("mynet.py")'
    installed = importlib.util.find_spec(module) if module.isidentifier() else None
    if installed and "site-packages" in str(installed.origin):
        return f"To allow the package: NEUROBENCH_ALLOW={module} in the environment before neurobench is imported"
    return f"If the code is yours: --plugin {module}.py, or NEUROBENCH_ALLOW={module}, or {in_python(module)}"


def _own_faults(path: str, arguments: Mapping[str, Any]) -> list[Fault]:
    """Faults of an allowed class or of its arguments. Imports the class, and torch with it."""
    module, _, name = path.rpartition(".")
    if fault := import_fault(module):
        return [("module", f"={path}: {fault}")]
    target = getattr(sys.modules[module], name, None)
    if not (isinstance(target, type) and _is_module(target)):
        offered = [key for key, value in vars(sys.modules[module]).items() if _is_module(value, module)]
        offer = f"{module} offers {', '.join(offered) or 'no subclass of torch.nn.Module'}"
        return [("module", f"={path} is not a torch.nn.Module; {offer}")]
    if target.__module__ != module and outside_fault(f"{target.__module__}.{target.__name__}", OURS):
        return [("module", f"={path} is defined in {target.__module__}, which is not allowed")]
    try:
        inspect.signature(target).bind(**{**given(target, dict.fromkeys(TASK)), **arguments})
    except TypeError as error:
        return [("arguments", f" do not fit {path}: {error}")]
    return []


def _is_module(value: Any, defined_in: str | None = None) -> bool:
    torch = sys.modules.get("torch")
    is_one = isinstance(value, type) and torch is not None and issubclass(value, torch.nn.Module)
    return is_one and defined_in in (None, value.__module__)


def given(target: type, task: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the task that a class's constructor takes by name."""
    return {name: value for name, value in task.items() if name in inspect.signature(target).parameters}
