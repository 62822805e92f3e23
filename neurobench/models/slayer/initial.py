"""Initial parameters of training: those of another run, or a file in one of the formats of `exports`.

A file that does not fit is rejected with a message that names the entry at fault.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.core.specs import Core, FloatCore
from neurobench.models.learner import Initial
from neurobench.models.slayer.network import LARGEST_DELAY, Layer, copy_parameters, neuron_on
from neurobench.models.slayer.neuron import GRID, POINT
from neurobench.models.slayer.nir_files import FileLayer, extra, read_nir, require
from neurobench.models.slayer.spec import SlayerSNN


def read(initial: Initial, layers: list[Layer], spec: SlayerSNN, core: Core) -> list[Layer]:
    """Read the parameters of `initial` in the shapes of `layers`. Raises UserError if they do not fit."""
    initial_layers = _read(initial, layers, spec, core)
    for k, layer in enumerate(initial_layers):
        if layer.delay is not None:
            most = int(layer.delay.max().clamp(0, LARGEST_DELAY))
            sentence = f"{initial.path}: layer {k} has delays of up to {most} steps. Set model.max_delay={most}."
            require(most <= spec.max_delay, f"model.init_from={initial.reference}: {sentence}")
    return initial_layers


def _read(initial: Initial, layers: list[Layer], spec: SlayerSNN, core: Core) -> list[Layer]:
    name, suffix = str(initial.path), initial.path.suffix
    if initial.state is not None:
        source = f"model.init_from={initial.reference}: {name}"
        require("layers" in initial.state, f"{source} contains no network of slayer_snn.")
        copy_parameters(initial.state["layers"], layers, f"{source}: layers")
        threshold = initial.state.get("threshold", spec.threshold)  # absent from runs of earlier versions
        sentence = f"its neurons have a threshold of {threshold:g}, this run's {spec.threshold:g}"
        require(threshold == spec.threshold, f"{source}: {sentence}. Set model.threshold={threshold:g}.")
        return layers
    sentence = (
        f"model.init_from={initial.reference}: a network with convolutions can start from a run, not from a file."
    )
    require(not spec.convolutions, sentence)
    if suffix == ".pt":
        return read_state(name, layers)
    net = read_nir(name, 1e-3 * spec.sampling_time) if suffix == ".nir" else read_netx(name)
    _check(net, layers, spec, core, f"model.init_from={initial.reference}")
    return [_layer(each, spec, hidden=k + 1 < len(net)) for k, each in enumerate(net)]


def _check(net: list[FileLayer], layers: list[Layer], spec: SlayerSNN, core: Core, name: str) -> None:
    sizes = (*(len(layer.w) for layer in net[:1]), *(layer.w.shape[1] for layer in net))
    needed = (len(layers[0].v), *(layer.v.shape[1] for layer in layers))
    require(sizes == needed, f"{name} has layers of {sizes} neurons; this run's have {needed}.")
    neuron = neuron_on(core, layers[0].D, spec.threshold)
    threshold = neuron.threshold * neuron.lsb
    for k, layer in enumerate(net):
        other = f"a threshold of {layer.threshold:g}, this run's is {threshold:g}"
        sentence = f"{name}: layer {k} has {other}. Set model.threshold={layer.threshold:g}."
        require(math.isclose(layer.threshold, threshold, rel_tol=1e-6), sentence)  # files contain float32
        ranges = () if isinstance(core, FloatCore) else (core.i_decay, core.v_decay)
        for kind, decay, (low, high) in zip(("current", "voltage"), layer.decays, ranges, strict=False):
            sentence = (
                f"{name}: layer {k} has a {kind} decay of {decay:g}/4096; this core's range from {low} to {high}."
            )
            require(low <= round(decay) <= high, sentence)
        what = "set model.delay=true" if not spec.delay else "this model does not delay its outputs"
        delayed = spec.delay and k + 1 < len(net)
        require(delayed or not layer.delay.any(), f"{name}: layer {k} has delays; {what}.")


DIRECTIONLESS = "a neuron has no weight other than 0, so its weights have no direction; set model.weight_norm=false"


def _layer(layer: FileLayer, spec: SlayerSNN, hidden: bool) -> Layer:
    v = layer.w.contiguous()
    length = v.double().square().sum(0).sqrt().float()
    require(not spec.weight_norm or length.all(), DIRECTIONLESS)
    decays, delay = torch.tensor(layer.decays, dtype=torch.float32), layer.delay if spec.delay and hidden else None
    return Layer(v, length if spec.weight_norm else None, decays, delay)


def read_netx(name: str) -> list[FileLayer]:
    """Read the layers of a netx file, weights (I, C) in units of 1. Raises UserError with the path within the file."""
    h5py = extra("h5py")
    try:
        file = h5py.File(name, "r")
    except OSError as fault:
        raise UserError(f"{name} is not an HDF5 file: {fault}") from fault
    with file:
        require("layer" in file, f"{name}:/layer is missing; netx stores a network's layers in it")
        net: list[FileLayer] = []
        for k in range(len(file["layer"])):
            path = f"{name}:/layer/{k}"
            try:
                require(str(k) in file["layer"], f"{path} is missing; layers are numbered from 0")
                net.append(_netx_layer(file["layer"][str(k)], path, net[-1].w.shape[1] if net else None))
            except (OSError, LookupError, TypeError, ValueError, AttributeError) as fault:  # h5py's, of a damaged file
                raise UserError(f"{path} cannot be read: {fault}") from fault
    return net


def _netx_layer(group: Any, path: str, before: int | None) -> FileLayer:
    kind = _text(group, "type") if "type" in group else "nothing"
    require(kind == "dense", f"{path}/type is {kind}; this model has dense layers only")
    for key in ("inFeatures", "outFeatures", "weight", "neuron/iDecay", "neuron/vDecay", "neuron/vThMant"):
        require(key in group, f"{path}/{key} is missing")
    require("bias" not in group, f"{path}/bias: the neurons of this model have none")
    neuron = _text(group, "neuron/type") if "neuron/type" in group else "CUBA"
    require(neuron == "CUBA", f"{path}/neuron/type is {neuron}; this model's neurons are CUBA")
    graded = "neuron/gradedSpike" in group and _whole(group, "neuron/gradedSpike", path)
    require(not graded, f"{path}/neuron/gradedSpike is set; this model's spikes are 0 or 1")
    inputs, outputs = _whole(group, "inFeatures", path), _whole(group, "outFeatures", path)
    require(before in (None, inputs), f"{path}/inFeatures is {inputs}; the layer before has {before} neurons")
    m, shape = group["weight"][()], (outputs, inputs)
    require(m.shape == shape, f"{path}/weight has shape {m.shape}, not (outFeatures, inFeatures) = {shape}")
    for fault, wrong in (
        ("is not an even mantissa", (m % 2 != 0) | ~np.isfinite(m)),
        ("is outside -256 to 254", (m < -256) | (m > 254)),
    ):
        if wrong.any():
            o, i = np.argwhere(wrong)[0]
            raise UserError(f"{path}/weight[{o}, {i}] = {m[o, i]:g} {fault}")
    refractory = _whole(group, "neuron/refDelay", path) if "neuron/refDelay" in group else 1
    require(refractory == 1, f"{path}/neuron/refDelay is {refractory}; this model's neurons are refractory for 1 step")
    i, v, threshold = (_whole(group, f"neuron/{key}", path) for key in ("iDecay", "vDecay", "vThMant"))
    for key, value, highest in (("iDecay", i, POINT), ("vDecay", v, POINT), ("vThMant", threshold, 131071)):
        require(0 <= value <= highest, f"{path}/neuron/{key} is {value}, outside 0 to {highest}")
    w = torch.from_numpy(m.astype(np.float32).T.copy()) / GRID
    return FileLayer(w, _netx_delay(group, path, outputs), (i, v), threshold / GRID)


def _text(group: Any, key: str) -> str:
    return bytes(np.ravel(group[key][()])[0]).decode()


def _whole(group: Any, key: str, path: str) -> int:
    (value,) = np.ravel(group[key][()])
    require(value == np.rint(value), f"{path}/{key} is {value:g}, not a whole number")
    return int(value)


def _netx_delay(group: Any, path: str, outputs: int) -> Tensor:
    """Read one delay per neuron, common to all its synapses and therefore a delay of its spikes."""
    if "delay" not in group:
        return torch.zeros(outputs)
    delay = group["delay"][()]
    sentence = f"{path}/delay has shape {delay.shape}; this model delays each of the {outputs} neurons' spikes"
    require(delay.shape == (outputs,), sentence)
    wrong = ~((delay >= 0) & (delay <= LARGEST_DELAY))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise UserError(f"{path}/delay[{k}] = {delay[k]:g} is outside 0 to {LARGEST_DELAY}")
    return torch.from_numpy(delay.astype(np.float32))


def lava_names(layers: list[Layer]) -> dict[str, Tensor]:
    """Parameters under lava-dl's names: `blocks.i.` + neuron.current_decay [1], neuron.voltage_decay [1], delay.delay
    [C], and synapse.weight_g [out, 1, 1, 1, 1] with weight_v [out, in, 1, 1, 1], or synapse.weight without weight norm.
    """
    state: dict[str, Tensor] = {}
    for k, layer in enumerate(layers):
        key, v = f"blocks.{k}.", layer.v.t()[:, :, None, None, None]
        state |= {f"{key}neuron.current_decay": layer.D[:1], f"{key}neuron.voltage_decay": layer.D[1:]}
        if layer.delay is not None:
            state[f"{key}delay.delay"] = layer.delay
        if layer.g is None:
            state[f"{key}synapse.weight"] = v
        else:
            state |= {f"{key}synapse.weight_v": v, f"{key}synapse.weight_g": layer.g[:, None, None, None, None]}
    return {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}


def read_state(name: str, like: list[Layer]) -> list[Layer]:
    """Read layers of the shapes of `like`. Raises UserError naming the key that is missing or has another shape."""
    try:
        state = torch.load(name, weights_only=True, map_location="cpu")
    except Exception as fault:  # unpickling may raise any exception
        said = next(iter(str(fault).strip().splitlines()), "")
        raise UserError(f"{name} contains no state of tensors: {type(fault).__name__}: {said}") from fault
    require(isinstance(state, Mapping), f"{name} contains a {type(state).__name__}, no state of tensors")
    for key, tensor in lava_names(like).items():
        needed = tuple(tensor.shape)
        require(key in state, f"{name}: {key} is missing; this network has one of shape {needed}")
        require(_is_plain(state[key]), f"{name}: {key} is not a plain tensor of real numbers")
        shape = tuple(state[key].shape)
        require(shape == needed, f"{name}: {key} has shape {shape}; this network needs {needed}")
        require(state[key].isfinite().all(), f"{name}: {key} contains numbers that are not finite")
        directed = not key.endswith("weight_v") or state[key].flatten(1).any(1).all()
        require(directed, f"{name}: {key}: {DIRECTIONLESS}")
    further = f"blocks.{len(like)}."
    more = any(str(key).startswith(further) for key in state)
    require(not more, f"{name} has more layers than this network's {len(like)}: {further[:-1]}")
    return [_from_lava(state, f"blocks.{k}.", layer) for k, layer in enumerate(like)]


def _is_plain(value: object) -> bool:
    if not isinstance(value, Tensor) or value.is_complex() or value.is_quantized or value.is_meta:
        return False
    return value.layout is torch.strided


def _from_lava(state: Mapping[str, Any], key: str, like: Layer) -> Layer:
    v = state[f"{key}synapse.weight" if like.g is None else f"{key}synapse.weight_v"]
    return Layer(
        v=v[:, :, 0, 0, 0].t().float().contiguous(),
        g=None if like.g is None else state[f"{key}synapse.weight_g"].flatten().float(),
        D=torch.cat([state[f"{key}neuron.current_decay"], state[f"{key}neuron.voltage_decay"]]).float(),
        delay=None if like.delay is None else state[f"{key}delay.delay"].float(),
    )
