"""Script run in the environment of another framework: python foreign.py FRAMEWORK FOLDER.

For each NAME.nir with its NAME.npz (x (T, B, *shape), dt) in the folder, it writes NAME.answer.npz: y (T, B, *shape), v
(T, B, *shape) if the framework reports the membrane of the only neuron, or the error with which it stopped ("refusal"
on reading the graph, "failure" on running it). It also writes versions.json. It needs only numpy, nir and the
framework.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch

Run = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


def norse(graph: Any, dt: float) -> Run:
    from norse.torch import from_nir

    net = from_nir(graph, dt=dt)
    return stepped(net, lambda state: [_norse_v(each) for each in _states(state)])


def _norse_v(state: Any) -> Any:
    """Membrane potential in a neuron's state; norse's CubaLIF has a pair of states, of the synapse and the membrane."""
    return getattr(state[1] if type(state) is tuple and len(state) == 2 else state, "v", None)


def snntorch(graph: Any, dt: float) -> Run:
    from snntorch.import_nir import import_from_nir

    net = import_from_nir(graph)
    return stepped(net, lambda state: [each.mem for each in net.modules() if hasattr(each, "mem")])


def spikingjelly(graph: Any, dt: float) -> Run:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return stepped(import_from_nir(graph, dt=dt), lambda state: [each[0] for each in _states(state)])


def sinabs(graph: Any, dt: float) -> Run:
    """Runner of sinabs, whose layers read all steps at once, samples one after the other."""
    from sinabs.nir import from_nir

    net: list[Any] = []

    def run(x: torch.Tensor) -> tuple[torch.Tensor, None]:
        steps, batch = x.shape[:2]
        net.append(from_nir(graph, batch_size=batch))
        y = net[0](x.transpose(0, 1).flatten(0, 1))
        y = y[0] if isinstance(y, tuple) else y
        return y.unflatten(0, (batch, steps)).transpose(0, 1), None

    from_nir(graph, batch_size=1)
    return run


def rockpool(graph: Any, dt: float) -> Run:
    """Runner of rockpool, whose modules read all steps at once, samples first, and take dt from constants of nodes."""
    from rockpool.nn.modules.torch.nir import from_nir

    def run(x: torch.Tensor) -> tuple[torch.Tensor, None]:
        y = from_nir(graph)(x.transpose(0, 1))[0]
        return y.transpose(0, 1), None

    from_nir(graph)
    return run


def _states(state: Any) -> list[Any]:
    """States of the neurons, which nirtorch's executors store in a dict, or in an object that has one."""
    values = getattr(state, "state", state)
    return [each for each in values.values() if isinstance(each, tuple)] if isinstance(values, dict) else []


def stepped(net: Any, membranes: Callable[[Any], list[Any]]) -> Run:
    """Runner of a module that takes one step at a time, (x, state) -> (y, state)."""

    def run(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        state, ys, vs = None, [], []
        for each in x:
            y, state = net(each, state)
            y = y[0] if isinstance(y, tuple) else y
            ys.append(y.clone())
            known = [v for v in membranes(state) if isinstance(v, torch.Tensor) and v.shape == y.shape]
            if len(known) == 1:
                vs.append(known[0].clone())
        return torch.stack(ys), torch.stack(vs) if len(vs) == len(ys) else None

    return run


FRAMEWORKS = {each.__name__: each for each in (norse, snntorch, spikingjelly, sinabs, rockpool)}


@torch.no_grad()
def answer(open_: Callable[[Any, float], Run], file: Path) -> dict[str, Any]:
    given = np.load(file.with_suffix(".npz"))
    try:
        run = open_(nir.read(file), float(given["dt"]))
    except ModuleNotFoundError:  # an environment that lacks a package says nothing about the framework
        raise
    except Exception as error:  # whatever it raises
        return {"refusal": f"{type(error).__name__}: {error}"}
    try:
        y, v = run(torch.from_numpy(given["x"]))
    except Exception as error:  # whatever it raises
        return {"failure": f"{type(error).__name__}: {error}"}
    return {"y": y.double().numpy(), **({} if v is None else {"v": v.double().numpy()})}


def main(framework: str, folder: Path) -> None:
    for file in sorted(folder.glob("*.nir")):
        np.savez(file.with_suffix(".answer.npz"), **answer(FRAMEWORKS[framework], file))
    versions = {}
    for package in (framework, "nir", "nirtorch", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "from a folder"
    (folder / "versions.json").write_text(json.dumps(versions))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], Path(sys.argv[2]))
