"""Calls of the compiled kernels for one layer: its constants and buffers in their types, and its forward pass."""

import numba
import numpy as np

from neurobench.devices.core.specs import UNLIMITED
from neurobench.kernels.aligned import on_lines
from neurobench.kernels.cuba import backward as back_kernel
from neurobench.kernels.cuba import forward as kernel
from neurobench.kernels.cuba import step
from neurobench.kernels.cuba.convolution import forward_convolved
from neurobench.kernels.cuba.forward import TALLY
from neurobench.kernels.cuba.spike_lists import Spikes
from neurobench.models.slayer.layout import places
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron, Neuron, Surrogate


def surrogate_constants(surrogate: Surrogate, neuron: Neuron) -> back_kernel.Surrogate:
    lsb, slope = neuron.lsb, (surrogate.centre, -1 / surrogate.tau, surrogate.peak)
    return back_kernel.Surrogate(*map(np.float32, (lsb, *slope, neuron.ku * lsb, neuron.kv * lsb)))


def new_activity(n: int, steps: int, width: int, v: np.ndarray) -> kernel.Activity:
    """Uninitialised output of a forward pass, with voltages v."""
    return kernel.Activity(
        v=v,
        out=on_lines((n, steps, width), np.uint16),
        count=np.empty((n, steps), np.int32),
        fired=np.empty((n, width), np.int32),
        tally=np.empty((numba.config.NUMBA_NUM_THREADS, len(TALLY)), np.int64),
        clipped=np.empty(n, np.uint8),
    )


def forward_layer(
    inputs: Spikes,
    layer: QuantizedLayer,
    neuron: step.FixedNeuron | step.FloatNeuron,
    arriving: kernel.Dropout,
    how: tuple[int, bool, bool],
    activity: kernel.Activity,
) -> None:
    """Run the forward pass of a layer whose neurons have the constants `neuron`."""
    delay = layer.delay.numpy()
    if layer.conv is None:
        kernel.forward(inputs, kernel.Layer(layer.W.numpy(), delay), neuron, arriving, *how, activity)
    else:
        whole = layer.W if layer.W.is_floating_point() else layer.W.int()
        weights = kernel.Layer(whole.numpy(), delay)
        forward_convolved(inputs, weights, places(layer.conv), neuron, arriving, *how, activity)


def currents(layer: QuantizedLayer, done: back_kernel.Pass, input_keep_prob: float) -> np.ndarray:
    """Currents (N, T, C) int32 of a pass. Neurons that keep no voltage and never fire have these as their voltages."""
    unlimited = step.FixedNeuron(*map(np.int32, layer.neuron))._replace(
        kv=np.int32(0), threshold=np.int32(2**31 - 1), v_limit=np.int32(UNLIMITED)
    )
    n, steps, width = done.v.shape
    activity = new_activity(n, steps, width, np.empty((n, steps, width), np.int32))
    how = (numba.get_num_threads(), True, False)
    forward_layer(done.inputs, layer, unlimited, kernel.Dropout(input_keep_prob, done.mask), how, activity)
    return activity.v


def part_of(whole: back_kernel.Pass, part: slice) -> back_kernel.Pass:
    """A layer's pass of some of the samples."""
    (index, begin, counts, width), v, threshold, delay, mask, keep, out, count, clipped = whole
    inputs = Spikes(index, begin[part], counts[part], width)
    arrived = out[part], count[part], clipped[part]
    return back_kernel.Pass(inputs, v[part], threshold, delay, mask[part], keep, *arrived)


def neuron_constants(layer: QuantizedLayer) -> step.FixedNeuron | step.FloatNeuron:
    if isinstance(layer.neuron, FixedNeuron):
        return step.FixedNeuron(*map(np.int32, layer.neuron))
    return step.FloatNeuron(*map(np.float32, layer.neuron))
