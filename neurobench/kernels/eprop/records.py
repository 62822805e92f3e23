"""Records shared by the e-prop kernels: constants of the network, its synapses, its state.

S sources are I inputs, then N recurrent neurons; K readouts; P places for `Synapses`, where those of a source are
padded to a multiple of LANES with places of weight 0 onto neuron N, which does not exist.
"""

from typing import NamedTuple

import numpy as np

LANES = 4  # doubles in a vector register
NONE = -1  # step of the last arrival, for a source without one
# Filtered firing below it is set to 0. A silent neuron's decays by kappa per step and ends among float64's denormals,
# with which Intel's processors are a hundred times slower. Compared with a target rate it is negligible long before.
SILENT = 1e-290
SURROGATES = ("piecewise_linear", "exponential", "fast_sigmoid_derivative", "arctan")


class Constants(NamedTuple):
    """Constants of NEST's `eprop_iaf` family in units of steps (1 ms), mV and pA."""

    T: int  # steps of a sample
    W: int  # steps with a target, at the end of a sample
    inputs: int
    N: int
    K: int
    alpha: float  # decay of the membrane per step, exp(-1 / tau_m)
    alpha_out: float
    v_th: float
    v_min: float
    refractory: int  # steps
    hard_reset: bool  # psc_delta: reset to v_reset, and no input while refractory
    v_reset: float
    refractory_input: bool  # psc_delta: input is stored until the neuron is free, and decays
    tau_m: float  # ms
    adapt_beta: float  # 0: the threshold is fixed
    rho: float  # decay of the threshold's adaptation per step
    surrogate: int  # position in SURROGATES
    height: float
    width: float  # mV
    kappa: float
    kappa_reg: float
    c_reg: float
    f_target: float  # spikes per step
    cutoff: int  # largest number of steps replayed of a gap between spikes
    w_min: float
    w_max: float
    each_step: bool  # one update per replayed step, not one per arrival
    adam: bool
    beta_1: float
    beta_2: float
    epsilon: float
    batch: int  # time steps per update
    lr_out: float = 1.0  # factor on the learning rate of the readout, for `batch` and `bsshslm` like all below
    softmax: bool = False  # the error is softmax(y) - onehot, else y - onehot
    gain: float = 1.0  # bsshslm: factor on a spike that reaches a recurrent neuron, 1 or 1 - alpha
    gain_out: float = 1.0  # factor on a spike that reaches a readout, 1 or 1 - alpha_out
    average: bool = False  # bsshslm: a gradient is divided by W


class Synapses(NamedTuple):
    """Synapses onto recurrent neurons by source, and onto readouts, with all that NEST stores for each."""

    start: np.ndarray  # (S + 1,) int64 first place of each source
    target: np.ndarray  # (P,) int64
    w: np.ndarray  # (P,) float64 pA
    e_bar: np.ndarray  # (P,) float64 filtered eligibility
    e_reg: np.ndarray  # (P,) float64 filtered eligibility for the firing rate
    g: np.ndarray  # (P,) float64 gradient since the last arrival
    eps: np.ndarray  # (P,) float64 eligibility of the adaptation
    pending: np.ndarray  # (P,) float64 gradient not yet applied, for `batch` above 1
    m: np.ndarray  # (P,) float64 Adam's first moment
    v: np.ndarray  # (P,) float64 and second
    w_first: np.ndarray  # (P,) float64 each_step: the weight after the first replayed step alone
    w_out: np.ndarray  # (N, K) float64
    mask_out: np.ndarray  # (N, K) uint8
    g_out: np.ndarray
    pending_out: np.ndarray
    m_out: np.ndarray
    v_out: np.ndarray
    w_first_out: np.ndarray  # (N, K) float64 each


class Sources(NamedTuple):
    """State shared by all synapses of a source. Second index 0: onto recurrent neurons, 1: onto readouts."""

    z_bar: np.ndarray  # (S, 2) float64 filtered spikes
    carry: np.ndarray  # (S,) float64 1 if the arrival before the last one was a step before it
    last: np.ndarray  # (S,) int64 step of the last arrival; -1: none yet
    done: np.ndarray  # (S,) int64 the next step to replay
    eta: np.ndarray  # (S,) float64 learning rate of the last update
    steps: np.ndarray  # (S,) int64 updates of Adam and of `batch` so far, plus 1
    beta_power: np.ndarray  # (S, 2) float64 Adam's powers of beta_1 and beta_2


class Neurons(NamedTuple):
    """State of neurons and readouts at the end of a step."""

    v: np.ndarray  # (N,) float64
    adapt: np.ndarray  # (N,) float64
    left: np.ndarray  # (N,) int64 refractory steps to come
    waiting: np.ndarray  # (N,) float64 input that waits for the refractory time to end
    f: np.ndarray  # (N,) float64 filtered firing
    z: np.ndarray  # (N,) uint8 fired in this step
    y: np.ndarray  # (K,) float64
    error: np.ndarray  # (K,) float64


class Past(NamedTuple):
    """Values that a replay reads. Step t is in row t - base, where base is the first step's number minus 2."""

    psi_reg: np.ndarray  # (T + 4, N + 1, 2) float64 surrogate gradient and R
    L: np.ndarray  # (T + 4, N + 1) float64 learning signal
    taught: np.ndarray  # (T + 4,) uint8 whether any L of the row is not 0
    E: np.ndarray  # (T + 4, K) float64 error of the readouts
    erring: np.ndarray  # (T + 4,) uint8 whether the step lies in the learning window, outside of which E is 0
    series: np.ndarray  # (T + 4,) float64 scratch


class Learning(NamedTuple):  # for the engines `exact` and `online`
    eta: float  # current learning rate
    eta_first: float  # the first learning rate that was set
    plain: bool  # no variant of neuron, synapse or optimiser is in use
    frozen: bool  # nothing is learned, and no trace is stored


class Steps(NamedTuple):
    """Steps n0 to n1 - 1 of a stream, and their input spikes: source[start[n - n0] : start[n - n0 + 1]] in step n,
    ascending if the engine requires it. Step n is step n - 2 of the samples, one after the other: an input takes two
    steps to arrive."""

    n0: int
    n1: int
    k0: int  # first sample whose readouts and spikes are reported
    start: np.ndarray  # (n1 - n0 + 1,) int64
    source: np.ndarray  # int64
    labels: np.ndarray  # labels of sample (n0 - 2) // T (which ends in steps n0 and n0 + 1) and later ones; -1: none


class Samples(NamedTuple):
    """Input spikes of G samples; those in step T belong to no sample."""

    start: np.ndarray  # (G (T + 1) + 1,) int64 first spike of each sample's steps 0 to T
    source: np.ndarray  # (E,) int64
    labels: np.ndarray  # (G,) -1: no target, and no gradient
