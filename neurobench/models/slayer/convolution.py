"""Products of inputs with dense or convolutional weights, their gradients, and the dense form of a convolution."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad, unfold

from neurobench.models.slayer.architecture import Convolution
from neurobench.models.slayer.network import QuantizedLayer, weights_of
from neurobench.models.slayer.neuron import FixedNeuron


def product(x: Tensor, weights: Tensor, conv: Convolution | None) -> Tensor:
    """Product (T, B, C) of x (T, B, I) with weights (I, C), or for a convolution (fan_in, channels). Outputs of a
    convolution are in the order channels, rows, columns."""
    if conv is None:
        return x @ weights
    with _full_precision():
        images = conv2d(_images(x, conv), _kernels(weights, conv), stride=conv.stride, padding=conv.padding)
    return images.reshape(*x.shape[:2], -1)


def product_gradients(
    x: Tensor, weights: Tensor, conv: Convolution | None, eu: Tensor, below: bool
) -> tuple[Tensor, Tensor | None]:
    """Gradients dL/dweights, in their shape, and dL/dx (None unless `below`), from eu (T, B, C) = dL/dproduct."""
    if conv is None:
        return x.flatten(0, 1).t() @ eu.flatten(0, 1), eu @ weights.t() if below else None
    stride, padding = [conv.stride] * 2, [conv.padding] * 2
    with _full_precision():
        dx, dk, _ = torch.ops.aten.convolution_backward(
            eu.reshape(-1, *conv.outputs),
            _images(x, conv),
            _kernels(weights, conv),
            None,
            stride,
            padding,
            [1, 1],
            False,
            [0, 0],
            1,
            [below, True, False],
        )
    _, rows, columns = conv.inputs
    dw = dk.flatten(1).t().contiguous()
    return dw, dx[..., :rows, :columns].reshape(x.shape) if below else None


def operations(arrived: Tensor, layer: QuantizedLayer) -> Tensor:
    """Number of synaptic operations, int64: arrived spikes (I,) float64, each times the synapses of its input."""
    return (arrived * (layer.W.shape[1] if layer.conv is None else fan_out(layer.conv).to(arrived.device))).sum().long()


def fan_out(conv: Convolution) -> Tensor:
    """Number of synapses of each input, (I,) int64. Padding does not count."""
    _, rows, columns = conv.inputs
    places = torch.ones(1, 1, *conv.outputs[1:], dtype=torch.float64)
    kernel = torch.ones(1, 1, conv.kernel, conv.kernel, dtype=torch.float64)
    cover = conv_transpose2d(places, kernel, stride=conv.stride).round().long()
    before, (high, wide) = -conv.padding, cover.shape[2:]
    cover = pad(cover, [before, columns - wide - before, before, rows - high - before])  # to the size of the input
    return ((1 if conv.pools else conv.channels) * cover).flatten().repeat(conv.inputs[0])


def each_neuron(values: Tensor, conv: Convolution | None) -> Tensor:
    """Repeat the value of each channel for each of its neurons."""
    return values if conv is None else values.repeat_interleave(conv.positions)


def each_channel(sums: Tensor, conv: Convolution | None) -> Tensor:
    """Sum the values of the neurons of each channel."""
    return sums if conv is None else sums.view(conv.channels, -1).sum(1)


def unrolled(layer: QuantizedLayer) -> QuantizedLayer:
    """Equivalent dense layer on the CPU, with a weight for each pair of an input and a neuron."""
    layer, conv = layer.cpu(), layer.conv
    if conv is None:
        return layer
    index = _covered(conv) + 1  # 0: no input
    W = layer.W.new_zeros(_size(conv.inputs) + 1, conv.channels, conv.positions)
    position = torch.arange(conv.positions).expand_as(index)
    W[index, :, position] = layer.W[:, None, :].expand(-1, conv.positions, -1)
    W = W[1:].flatten(1).contiguous()
    w = weights_of(W) if isinstance(layer.neuron, FixedNeuron) else W
    scale, delay = each_neuron(layer.scale, conv), each_neuron(layer.delay, conv)
    return QuantizedLayer(W, w, layer.neuron, delay, scale)


def sparse_weights(weights: Tensor, conv: Convolution) -> Tensor:
    """Weights other than 0 of the equivalent dense layer (I, O), as a sparse matrix, from those of the kernels (fan_in,
    channels): a dense one would take gigabytes for a sensor of 128 x 128 pixels."""
    tap, channel = weights.nonzero(as_tuple=True)
    inputs = _covered(conv)[tap]  # (weights, positions)
    neurons = channel[:, None] * conv.positions + torch.arange(conv.positions)
    values, covered = weights[tap, channel][:, None].expand_as(inputs), inputs >= 0
    places = torch.stack([inputs[covered], neurons[covered]])
    size = (_size(conv.inputs), conv.channels * conv.positions)
    return torch.sparse_coo_tensor(places, values[covered], size, check_invariants=False)


def _covered(conv: Convolution) -> Tensor:
    """Input that each of a kernel's weights meets at each position, (fan_in, positions) int64; -1 in the padding."""
    numbers = torch.arange(1, _size(conv.inputs) + 1).view(1, *conv.inputs).float()
    padded = pad(_images(numbers, conv), [conv.padding] * 4)
    return unfold(padded, conv.kernel, stride=conv.stride)[0].long() - 1


def _size(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]


def _images(x: Tensor, conv: Convolution) -> Tensor:
    """Images of x, with the zeros that the last windows of a pool overhang."""
    images, (rows, columns) = x.reshape(-1, *conv.inputs), conv.overhang
    return pad(images, [0, columns, 0, rows]) if rows or columns else images


def _kernels(weights: Tensor, conv: Convolution) -> Tensor:
    return weights.t().reshape(conv.channels, conv.inputs[0], conv.kernel, conv.kernel)


def _full_precision():  # type: ignore[no-untyped-def]
    """Context manager: keep cuDNN from rounding to TF32, its default, and from choosing another algorithm each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
