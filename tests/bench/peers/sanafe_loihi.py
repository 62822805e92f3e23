"""Activity and cost of feed-forward networks on SANA-FE's Loihi. Runs in a separate process: SANA-FE is under the GPL,
and the shipped package imports nothing of it.

Reads cases as JSON from stdin, writes answers as JSON to stdout.
"""

import json
import sys
from itertools import pairwise

import sanafe

INPUTS_OF_CORE = 1024


def run(case: dict) -> dict:
    """Simulate a case. weights: (I, O) per layer; inputs: (T, I) of 0 and 1; cores: core of each neuron, by layer."""
    arch, net = sanafe.load_loihi(), sanafe.Network()
    steps, widths = len(case["inputs"]), [len(cores) for cores in case["cores"]]
    groups = [net.create_neuron_group(f"layer{k}", width) for k, width in enumerate(widths)]
    for i in range(widths[0]):
        spikes = [bool(row[i]) for row in case["inputs"]]
        unit = f"loihi_inputs[{i % INPUTS_OF_CORE}]"
        groups[0][i].set_attributes(soma_hw_name=unit, log_spikes=True, model_attributes={"spikes": spikes})
    neuron = {"threshold": case["threshold"], "reset": 0.0, "leak_decay": case["leak_decay"]}
    for group, width in zip(groups[1:], widths[1:], strict=True):
        for i in range(width):
            group[i].set_attributes(soma_hw_name="loihi_lif", log_spikes=True, model_attributes=neuron)
    for (source, target), weights in zip(pairwise(groups), case["weights"], strict=True):
        for i, row in enumerate(weights):
            for j, weight in enumerate(row):
                if weight:
                    source[i].connect_to_neuron(target[j], {"weight": weight})
    for group, cores in zip(groups, case["cores"], strict=True):
        for i, core in enumerate(cores):
            group[i].map_to_core(arch.tiles[core // 4].cores[core % 4])
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    asked = {"spike_trace": True, "perf_trace": True, "processing_threads": 1}
    told = chip.sim(steps, timing_model="simple", **asked)
    return {
        "joules": told["energy"]["total"],
        "seconds": told["sim_time"],
        "hops": sum(told["perf_trace"]["hops"]),
        "synaptic_operations": sum(told["perf_trace"]["spikes"]),
        "updated": told["perf_trace"]["updated"],
        "fired": [[str(neuron) for neuron in step] for step in told["spike_trace"]],
    }


print("\n" + json.dumps([run(case) for case in json.load(sys.stdin)]))
