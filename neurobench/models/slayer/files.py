"""Networks of files and of other runs, and the formats that a network can be written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from neurobench.config.errors import UserError
from neurobench.devices.core.protocol import Core
from neurobench.models.slayer import lava_state, netx, nir_graph, parameters
from neurobench.models.slayer.netx import Found
from neurobench.models.slayer.parameters import Layer
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.runs.finished import learned

if TYPE_CHECKING:
    from neurobench.models.slayer.learner import SlayerLearner

HDF5, NIR, STATE = (".net", ".h5", ".hdf5"), (".nir",), (".pt",)


def formats(learner: SlayerLearner) -> Mapping[str, Callable[[], bytes]]:
    """netx: exact, for lava. nir: approximate, for others. pt: lava-dl's own parameters."""
    dt = 1e-3 * learner.recipe.sampling_time
    return {
        "netx": partial(netx.write, learner.held),
        "nir": partial(nir_graph.write, learner.held, dt),
        "pt": partial(lava_state.write, learner.layers),
    }


def loaded(recipe: SlayerSNN, sizes: tuple[int, ...], core: Core) -> list[Layer]:
    """The network of `recipe.init_from`. Raises UserError where there is none, or one that is not the recipe's."""
    assert recipe.init_from is not None
    wanted = parameters.initial(sizes, recipe, 0)
    name = recipe.init_from
    if not name.endswith((*HDF5, *NIR, *STATE)):
        return _of_run(name, wanted)
    if not Path(name).is_file():
        raise UserError(f"model.init_from={name}: there is no such file.")
    if name.endswith(STATE):
        return lava_state.read(name, wanted)
    found = netx.read(name) if name.endswith(HDF5) else nir_graph.read(name, 1e-3 * recipe.sampling_time)
    _check(found, recipe, sizes, core, name)
    return [_layer(each, recipe, hidden=k + 1 < len(found)) for k, each in enumerate(found)]


def _check(found: list[Found], recipe: SlayerSNN, sizes: tuple[int, ...], core: Core, name: str) -> None:
    there = (found[0].w.shape[0], *(each.w.shape[1] for each in found)) if found else ()
    if there != sizes:
        raise UserError(f"model.init_from={name} has layers of {there} neurons; this run's have {sizes}.")
    for k, each in enumerate(found):
        asked = recipe.threshold if core.arithmetic == "float" else parameters.mantissa(recipe.threshold) / 64
        if abs(each.threshold - asked) > 1e-6:
            raise UserError(
                f"model.init_from={name}: layer {k} has a threshold of {each.threshold:g}, this run's is {asked:g}. "
                f"Set model.threshold={each.threshold:g}."
            )
        if each.delay is not None and each.delay.any() and (not recipe.delay or k + 1 == len(found)):
            what = "set model.delay=true" if not recipe.delay else "this model does not delay its outputs"
            raise UserError(f"model.init_from={name}: layer {k} has delays; {what}.")


def _layer(found: Found, recipe: SlayerSNN, hidden: bool) -> Layer:
    delay = None
    if recipe.delay and hidden:
        delay = found.delay if found.delay is not None else torch.zeros(found.w.shape[1])
    v = found.w.contiguous()
    length = v.double().square().sum(0).sqrt().float()
    if recipe.weight_norm and not length.all():
        raise UserError(
            "a neuron has no weight other than 0, so its weights have no direction; set model.weight_norm=false"
        )
    return Layer(v, length if recipe.weight_norm else None, torch.tensor(found.decays, dtype=torch.float32), delay)


def _of_run(reference: str, wanted: list[Layer]) -> list[Layer]:
    run, kept = learned(reference)
    if "layers" not in kept:
        raise UserError(f"model.init_from={reference}: {run.path} holds no network of slayer_snn.")
    stored = [Layer(layer["v"], layer.get("g"), layer["D"], layer.get("delay")) for layer in kept["layers"]]
    return lava_state.of_state(lava_state.named(stored), wanted, f"model.init_from={reference}")
