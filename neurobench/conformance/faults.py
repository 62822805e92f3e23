"""Reasons why a framework differs on a case: (framework, case) -> what its importer does, according to its source. The
case is the minimal graph. Versions: norse 1.1.0, snnTorch 1.0.0, SpikingJelly 2.0.0, sinabs 2.0.3,
rockpool 3.1.0, nirtorch 2.6."""

_NORSE_R = (
    "The importer logs a warning that it expects r = 1 and ignores r (`import_nir` passes none to LIFBoxCell and "
    "IAFCell). Potentials are 1 / r of what they should be."
)
_NORSE_RESET = (
    "The importer does not pass on v_reset (`import_nir`), and norse's neurons reset to their default of 0. No warning "
    "is given."
)
_FLATTEN = (
    "The axes are passed unchanged to torch.nn.Flatten, where axis 0 is that of the samples; NIR's count excludes it. "
    "Samples are merged into one, or one axis too many is flattened."
)
_POOL = (
    "nirtorch's and norse's LPPool2d, and sinabs's SumPool2d, are given no padding. The border is missing from the "
    "output."
)
_SNNTORCH_RESET = "The importer sets reset_mechanism='zero' whatever the value of v_reset. No warning is given."
_SNNTORCH_LOOP = (
    "`_create_rnn_subgraph` connects the subgraph's input to the recurrent weights instead of the neuron. The answer "
    "is bit for bit that of such a graph."
)
_SNNTORCH_SCALE = (
    "The threshold is divided by r dt / tau (or w_in dt / tau_syn) instead of the weights being multiplied by it. "
    "Spikes are the same; potentials are in other units."
)
_SJ_BEGINS = "Neurons start at v_reset (`register_memory('v', v_reset)`), here 0. NIR specifies no initial value."
_SINABS_LIF = (
    "The importer sets norm_input=False, so that a step is v = exp(-dt / tau) v + x; NIR's r = 1 would be (1 - "
    "exp(-dt / tau)) x. r and v_reset are not read; it resets by subtraction, with several spikes per step."
)
_SINABS_IF = (
    "sinabs's IAF resets by subtraction, which was NIR's equation before v_reset was introduced, emits as many "
    "spikes per step as the threshold fits into the potential, and has -v_threshold as its lowest potential; r and "
    "v_reset are not read. NIR's neuron now resets to v_reset and fires once."
)
_ROCKPOOL_CUBA = (
    "The importer assumes dt = tau_mem / (1 + r), which is right only for rockpool's own files, and reads neither w_in "
    "nor v_reset. Its neuron resets by subtraction, emits as many spikes per step as the threshold fits into the "
    "potential, and decays its input in the step of arrival."
)
_ROCKPOOL_LI = (
    "The importer casts tau to whole seconds (`_to_tensor(node.tau).int()`), which turns every tau below one into 0. "
    "The output is always 0."
)

FAULTS: dict[tuple[str, str], str] = {
    **{("norse", name): _NORSE_R for name in ("IF, r = 1", "LIF, r = tau / dt", "LIF, r = 2", "loop of LIF")},
    **{("norse", f"{kind}, reset to -0.5"): _NORSE_RESET for kind in ("IF", "LIF", "CubaLIF")},
    ("norse", "LIF, leak and reset to 0.25"): f"{_NORSE_RESET} Here v also starts at v_leak.",
    ("norse", "CubaLIF, leak to 0.25"): (
        "v_leak is passed to the synapse as well as to the membrane (LIBoxParameters), so that the current also leaks "
        "to 0.25. NIR's current leaks to 0."
    ),
    **{
        (framework, name): _FLATTEN
        for framework in ("norse", "snntorch")
        for name in ("flatten all", "flatten, first axis kept", "conv - CubaLIF - pool - flatten - CubaLIF")
    },
    **{(framework, "sum pool, padding"): _POOL for framework in ("norse", "snntorch", "spikingjelly", "sinabs")},
    **{("snntorch", f"{kind}, reset to -0.5"): _SNNTORCH_RESET for kind in ("LIF", "CubaLIF")},
    ("snntorch", "IF, r = 1"): (
        "The importer creates a leaky neuron (snn.Leaky with beta=0.9, init_hidden=False), which also loses its "
        "potential from step to step. NIR's IF does not leak."
    ),
    **{("snntorch", f"loop of {kind}"): _SNNTORCH_LOOP for kind in ("LIF", "CubaLIF")},
    **{("snntorch", name): _SNNTORCH_SCALE for name in ("LIF", "LIF, r = 2", "CubaLIF, w_in = 1")},
    ("spikingjelly", "IF, reset to -0.5"): _SJ_BEGINS,
    ("spikingjelly", "LIF, leak and reset to 0.25"): _SJ_BEGINS,
    ("spikingjelly", "CubaLIF, reset to -0.5"): _SJ_BEGINS,
    ("spikingjelly", "IF, v = threshold"): (
        "Its surrogate's step is 1 where v - v_threshold >= 0. NIR's neuron fires where v > v_threshold."
    ),
    **{
        ("sinabs", f"LIF{how}"): _SINABS_LIF
        for how in ("", ", r = tau / dt", ", r = 2", ", reset to -0.5", ", each its own")
    },
    ("sinabs", "LI"): "The importer sets norm_input=False: x has weight 1. With NIR's r = 1 its weight is dt / tau.",
    **{
        ("sinabs", f"IF, {how}"): _SINABS_IF
        for how in ("r = 1 / dt", "r = 1", "reset to -0.5", "twice the threshold at once")
    },
    **{("rockpool", name): _ROCKPOOL_LI for name in ("LI", "LI, r = 4", "LI, leak to 0.5")},
    **{
        ("rockpool", f"CubaLIF, {how}"): _ROCKPOOL_CUBA
        for how in (
            "r = tau_mem / dt, w_in = tau_syn / dt",
            "r = w_in = 1",
            "w_in = 1",
            "reset to -0.5",
            "each its own",
            "tau_syn = dt",
            "dt = 1 ms",
        )
    },
    ("rockpool", "CubaLIF, leak to 0.25"): f"{_ROCKPOOL_CUBA} v_leak becomes a bias that is added in every step.",
    **{
        ("rockpool", name): _ROCKPOOL_CUBA
        for name in ("loop of CubaLIF", "two layers", "names: if, lif.0", "two edges to one node")
    },
}
