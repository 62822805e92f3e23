"""Three losses on output spikes y (N, T, C), and the classes predicted from their rates.

Each loss is a sum over the batch. Source: lava-dl `slayer.loss`, `slayer.classifier`.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv1d, log_softmax

_ROUNDING = 1e-9  # spikes; 100 steps at a rate of 0.29 are 28.999999999999996 in floating point
FLOOR = 1e-6  # least probability whose logarithm is taken: a silent class would make the loss infinite


def rates(y: Tensor, window: int | None = None) -> Tensor:
    """Spike rates per step: (N, C) over all steps, or (N, T, C) over the `window` steps that end at each one."""
    if window is None:
        return y.mean(1)
    return _causal(y, torch.full((window,), 1.0 / window, device=y.device))


def target_rates(
    label: Tensor, n_classes: int, true_rate: float, false_rate: float, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Target rates (N, C): true_rate at the label, false_rate elsewhere."""
    target = torch.full((len(label), n_classes), float(false_rate), device=label.device, dtype=dtype)
    return target.scatter(1, label[:, None], true_rate)


def spike_rate(y: Tensor, label: Tensor, true_rate: float, false_rate: float, window: int | None = None) -> Tensor:
    """Sum of (r - target)^2 over samples, classes and, with a window, steps. No factor 1/2."""
    target = target_rates(label, y.shape[2], true_rate, false_rate)
    return (rates(y, window) - (target if window is None else target[:, None, :])).square().sum()


def spike_max(y: Tensor, label: Tensor, mode: str = "probability", window: int | None = None) -> Tensor:
    """Sum of -log p at the label over samples and, with a window, steps.

    probability: p = r / (sum r + 1e-6), at least 1e-6; softmax: p = softmax(r).
    """
    r = rates(y, window)
    at = label[:, None] if window is None else label[:, None, None].expand(-1, y.shape[1], 1)
    if mode == "softmax":
        return -log_softmax(r, -1).gather(-1, at).sum()
    p = r / (r.sum(-1, keepdim=True) + FLOOR)
    return -p.gather(-1, at).clamp(min=FLOOR).log().sum()


def silent_labels(y: Tensor, label: Tensor) -> Tensor:
    """Number of samples whose label's neuron never fired: there `spike_max` is at its floor."""
    return (y.sum(1).gather(1, label[:, None]) == 0).sum()


def spike_time(y: Tensor, desired: Tensor, tau: float, order: int = 1, length: int = 100) -> Tensor:
    """Sum of squared differences of two spike trains, causally filtered by exp(-k / tau), k = 0 ... length - 1.

    order: number of times that the filter is applied, its response cut to `length` steps. desired (N, T, C).
    """
    kernel = torch.exp(-torch.arange(length, device=y.device) / tau)
    shape = kernel
    for _ in range(order - 1):
        shape = _causal(shape[None, :, None], kernel)[0, :, 0]
    return _causal(y - desired, shape).square().sum()


def regular_trains(label: Tensor, n_classes: int, steps: int, true_rate: float, false_rate: float) -> Tensor:
    """Trains (N, T, C) of evenly spaced spikes at the target rates, for `spike_time` without recorded targets."""
    rate = target_rates(label, n_classes, true_rate, false_rate, torch.float64)[:, None, :]
    t = torch.arange(steps + 1, device=label.device, dtype=torch.float64)[None, :, None]
    due = (t * rate + _ROUNDING).floor()
    return (due[:, 1:] > due[:, :-1]).float()


def predicted(y: Tensor, window: int | None = None) -> Tensor:
    """Class with the highest rate, the first if tied: (N,), or (N, T) with a window."""
    return rates(y, window).argmax(-1)


def _causal(y: Tensor, kernel: Tensor) -> Tensor:
    """Causal convolution sum_k kernel[k] y[t - k], with zeros before the beginning; y (N, T, C)."""
    n, steps, width = y.shape
    rows = y.transpose(1, 2).reshape(n * width, 1, steps)
    padded = torch.nn.functional.pad(rows, (len(kernel) - 1, 0))
    return conv1d(padded, kernel.flip(0)[None, None]).reshape(n, width, steps).transpose(1, 2)
