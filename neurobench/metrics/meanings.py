"""Meaning of a metric's name: the title under which it is shown with similar ones, and a sentence."""

import re
from collections.abc import Iterable
from functools import cache

# Title -> a pattern of the whole name; the first that matches counts.
GROUPS = {
    "Energy": r"(.*_)?joules.*|energy_.*|mesh_.*",
    "Course of training": r"(loss|error)_iteration_\d+|epoch_?\d+_.*|last_epoch_.*|.*_of_first_epochs",
    "Layer by layer": r"layer\d+_.*",
    "Size and operations": (
        r"parameter_count|parameters|.*_parameters|footprint_bytes|(connection|activation)_sparsity.*|"
        r"(effective_(macs|acs)|dense_operations|membrane_updates)(_per_step)?"
    ),
    "Shots and noise": r"accuracy_(at|lost_at)_\d+_shots|exact_.*|ideal_.*|mean_abs_dz.*|mean_p_correct|calibration_.*",
    "Accuracy and loss": (
        r"(?!calibrated_).*(accuracy|loss|error|mse|nll|likelihood|gain_over_classical)(_.*)?|"
        r"lr_150_.*|sme(_.*)?|input_cap"
    ),
}
OTHER = "The model"  # metrics that only the model's page explains
READING_ORDER = (
    "Accuracy and loss", "Shots and noise", "Course of training", OTHER, "Layer by layer",
    "Size and operations", "Energy",
)  # fmt: skip

# A pattern of the whole name -> its meaning; the first that matches counts. Most names explain themselves.
SENTENCES = {
    r"test_accuracy": "share of the test samples that are classified correctly",
    r"recorded_accuracy": "the same for real recordings, none of which were used in training",
    r"readout_validation_accuracy": "accuracy of the readout on held-out samples",
    r"readout_train_accuracy": "accuracy of the readout on the samples that it was fitted on",
    r"readout_l2_chosen": "1: the penalty was chosen on held-out samples; 0: as configured",
    r"readout_l2": "penalty on the squared weights",
    r"host_accuracy": "accuracy on the host's model of the chip, before the weights are transferred",
    r"transfer_accuracy": "accuracy with the same weights on the chip",
    r"loop_accuracy": "accuracy after further training with the chip in the loop",
    r"input_cap": "highest accuracy possible with inputs rounded to the chip's bits",
    r"classical_accuracy": "accuracy with a classical head in place of the circuit",
    r"gain_over_classical": "accuracy minus that of the classical head",
    r"accuracy_at_\d+_shots": "accuracy with this number of shots per expectation value",
    r"accuracy_lost.*": "ideal accuracy minus that on the emulated chip",
    r"test_reconstruction_mse": "mean squared difference between a pixel and its reconstruction",
    r"sme.*": "squared mean error, as printed by the tutorial",
    r"parameter_count": "learned values that a prediction needs; of random features and spiking networks all stored",
    r"footprint_bytes": "memory of parameters and buffers",
    r"connection_sparsity": "share of weights that are 0",
    r"activation_sparsity": "share of outputs that are 0, over all units, samples and steps",
    r"effective_macs": "products of a non-zero weight and a non-zero input, per sample",
    r"effective_acs": "non-zero weights added on spikes, per sample",
    r"dense_operations": "operations if no weight or input were 0, per sample",
    r"membrane_updates": "neuron steps in which the potential changes, per sample",
    r".*_per_step": "the same per time step",
    r"host_.*_joules": "measured on this machine's processors, memory and GPU, including anything else that ran on it",
    r"mesh_joules": "an estimate: every spike routed through the mesh of an architecture model, per sample",
    r"mesh_seconds": "time in the same model: per step, that of the slowest core plus all cores' wait for each other",
    r"mesh_messages": "spikes sent to a core, per sample",
    r"mesh_hops": "hops from tile to tile, per sample",
    r".*joules": "an estimate: counted operations times the published joules per operation",
    r"calibrated_.*_error": "",
    r"calibrated_.*": "as measured by calibration on the emulated chip",
    r"gain": "LSB of the read-out per unit of input times weight",
    r"noise_std": "standard deviation of the noise of one partial sum, in LSB",
    r"hidden_rate": "spikes per second of a hidden neuron, in the last batch that was learned",
    r"training_circuits": "circuits evaluated in training, those for gradients included",
    r"training_(shots|qpu_seconds)": "shots of these circuits, and modelled seconds in full jobs; 0 for exact values",
}


@cache
def group(name: str) -> str:
    """Title under which a metric is shown."""
    return next((title for title, pattern in GROUPS.items() if re.fullmatch(pattern, name)), OTHER)


@cache
def sentence(name: str) -> str:
    """Meaning of a metric; "" if its name explains it."""
    return next((text for pattern, text in SENTENCES.items() if re.fullmatch(pattern, name)), "")


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by title, titles in reading order, names in the given order; no title without a name."""
    titles: dict[str, list[str]] = {title: [] for title in READING_ORDER}
    for name in names:
        titles[group(name)].append(name)
    return {title: members for title, members in titles.items() if members}
