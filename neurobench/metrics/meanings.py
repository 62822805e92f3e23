"""What a metric's name stands for, in a sentence, and which others it belongs to."""

import re
from functools import cache
from typing import NamedTuple


class Meaning(NamedTuple):
    group: str
    sentence: str  # "" where the name says it


GROUPS = (
    "accuracy", "loss and error", "size and operations", "energy", "readout", "device",
    "the model's own",
)  # fmt: skip

# Group, pattern of the whole name, sentence; the first that fits counts.
MEANINGS = (
    (0, r"test_accuracy", "of the test samples, those whose class was predicted"),
    (0, r"recorded_accuracy", "the same of real recordings, which were never learned from"),
    (4, r"readout_validation_accuracy", "of the readout, on the samples held out"),
    (4, r"readout_train_accuracy", "of the readout, on the samples that it was fitted on"),
    (4, r"readout_l2_chosen", "1: the penalty was chosen on held-out samples; 0: taken as given"),
    (4, r"readout_l2", "penalty of the squared weights"),
    (0, r"host_accuracy", "on the host's model of the chip, before the weights are moved"),
    (0, r"transfer_accuracy", "with the same weights on the chip"),
    (0, r"loop_accuracy", "after training went on with the chip in the loop"),
    (0, r"input_cap", "the most that inputs rounded to the chip's bits allow"),
    (0, r"classical_accuracy", "with a classical head in place of the circuit"),
    (0, r"gain_over_classical", "accuracy less that of the classical head"),
    (0, r"accuracy_at_\d+_shots", "with so many shots for each expectation"),
    (0, r"accuracy_lost.*", "ideal accuracy less that on the emulated chip"),
    (0, r"(.*_)?accuracy.*|mean_p_correct|gain_over_.*", ""),
    (1, r"test_reconstruction_mse", "mean squared difference of a pixel and its reconstruction"),
    (1, r"sme.*", "squared mean error, as the tutorial prints it"),
    (1, r".*(loss|error|mse|nll|mean_abs_dz).*", ""),
    (2, r"parameter_count", "values that are learned"),
    (2, r"footprint_bytes", "memory of parameters and buffers"),
    (2, r"connection_sparsity", "share of weights that are 0"),
    (2, r"activation_sparsity", "share of outputs that are 0, over all units, samples and steps"),
    (2, r"activation_sparsity_.*", ""),
    (2, r"effective_macs", "products of a weight and an input, neither 0, for one sample"),
    (2, r"effective_acs", "weights that a spike adds, none 0, for one sample"),
    (2, r"dense_operations", "as if nothing were 0"),
    (2, r"membrane_updates", "steps in which a neuron's potential changes, for one sample"),
    (2, r".*_per_step", "the same for one time step"),
    (3, r".*joules", "an estimate: counted operations times published joules of each"),
    (5, r"calibrated_.*", "as calibration measured it on the emulated chip"),
    (5, r"gain", "LSB of the read-out for an input times a weight of 1"),
    (5, r"noise_std", "LSB, of one partial sum"),
    (6, r"hidden_rate", "spikes a second of a hidden neuron"),
    (6, r"training_(circuits|shots|qpu_seconds)", "that training by parameter shift would ask of the device"),
    (6, r".*", ""),
)


@cache
def meaning(name: str) -> Meaning:
    group, sentence = next((group, text) for group, pattern, text in MEANINGS if re.fullmatch(pattern, name))
    return Meaning(GROUPS[group], sentence)
