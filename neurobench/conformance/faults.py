"""Reasons why a framework differs on a case: (framework, case) -> what its importer does, according to its source. The
case is the minimal graph. Versions: norse 1.1.0, snnTorch 1.0.0, SpikingJelly 2.0.0, sinabs 2.0.3,
rockpool 3.1.0, nirtorch 2.6."""

_NORSE_R = (
    "The importer logs a warning that it expects r = 1 and continues without r (`import_nir`: LIFBoxCell and IAFCell "
    "get none). Potentials are 1 / r of what they should be."
)
_NORSE_RESET = (
    "The importer does not hand v_reset on (`import_nir`), and norse's neurons fall to their own default of 0. Nothing "
    "is said of it."
)
_FLATTEN = (
    "The axes are handed to torch.nn.Flatten as they are, where axis 0 is that of the samples; NIR's count without it. "
    "Samples are mixed into one, or an axis too many is joined."
)
_POOL = (
    "nirtorch's and norse's LPPool2d, and sinabs's SumPool2d, are given no padding. The border is missing from what "
    "comes out."
)
_SNNTORCH_RESET = "The importer makes neurons with reset_mechanism='zero' whatever v_reset says. Nothing is said of it."
_SNNTORCH_LOOP = (
    "`_create_rnn_subgraph` leads what comes in to the recurrent weights instead of to the neuron (its edge from the "
    "subgraph's input). The answer is that of such a graph to the bit."
)
_SNNTORCH_SCALE = (
    "The threshold is divided by r dt / tau (or w_in dt / tau_syn) instead of the weights being multiplied by it. "
    "Spikes are the same, potentials are in other units."
)
_SJ_BEGINS = "Neurons begin at v_reset (`register_memory('v', v_reset)`), here at 0. NIR names no first value."
_SINABS_LIF = (
    "The importer asks for norm_input=False, so that a step is v = exp(-dt / tau) v + x; NIR's r = 1 would be (1 - "
    "exp(-dt / tau)) x. r and v_reset are not read; it resets by subtraction, with several spikes a step."
)
_SINABS_IF = (
    "sinabs's IAF resets by subtraction, which was NIR's own equation before v_reset came, fires as often a step as "
    "the threshold fits, and has -v_threshold for its lowest potential; r and v_reset are not read. NIR's neuron of "
    "today falls to v_reset and fires once."
)
_ROCKPOOL_CUBA = (
    "The importer takes dt for tau_mem / (1 + r), which fits files of rockpool's own alone, and reads neither w_in nor "
    "v_reset. Its neuron resets by subtraction, fires as often a step as the threshold fits, and decays at once what "
    "arrives."
)
_ROCKPOOL_LI = (
    "The importer casts tau to whole seconds (`_to_tensor(node.tau).int()`), which makes 0 of every tau below one. "
    "What comes out is 0 throughout."
)

FAULTS: dict[tuple[str, str], str] = {
    **{("norse", name): _NORSE_R for name in ("IF, r = 1", "LIF, r = tau / dt", "LIF, r = 2", "loop of LIF")},
    **{("norse", f"{kind}, reset to -0.5"): _NORSE_RESET for kind in ("IF", "LIF", "CubaLIF")},
    ("norse", "LIF, leak and reset to 0.25"): f"{_NORSE_RESET} Here v also begins at v_leak.",
    ("norse", "CubaLIF, leak to 0.25"): (
        "v_leak is given to the membrane and to the synapse too (LIBoxParameters), so that the current leaks to 0.25, "
        "too. NIR's current leaks to 0."
    ),
    **{
        (framework, name): _FLATTEN
        for framework in ("norse", "snntorch")
        for name in ("flatten all", "flatten, first axis kept", "conv - CubaLIF - pool - flatten - CubaLIF")
    },
    **{(framework, "sum pool, padding"): _POOL for framework in ("norse", "snntorch", "spikingjelly", "sinabs")},
    **{("snntorch", f"{kind}, reset to -0.5"): _SNNTORCH_RESET for kind in ("LIF", "CubaLIF")},
    ("snntorch", "IF, r = 1"): (
        "The importer makes it a leaky neuron (snn.Leaky with beta=0.9, init_hidden=False), which also forgets its "
        "potential from step to step. An IF of NIR does not leak."
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
    ("sinabs", "LI"): "The importer asks for norm_input=False: x counts whole. With NIR's r = 1 it counts dt / tau.",
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
    ("rockpool", "CubaLIF, leak to 0.25"): f"{_ROCKPOOL_CUBA} v_leak becomes a bias that every step adds.",
    **{
        ("rockpool", name): _ROCKPOOL_CUBA
        for name in ("loop of CubaLIF", "two layers", "names: if, lif.0", "two edges to one node")
    },
}
