"""Meaning of a metric's name: the title under which it is shown with similar ones, and a sentence."""

import re
from collections.abc import Iterable
from functools import cache

# Title -> a pattern of the whole name; the first that matches counts.
GROUPS = {
    "Energy": r"(.*_)?joules.*|energy_.*|mesh_.*",
    "Course of the training": r"(loss|error)_iteration_\d+|epoch_?\d+_.*|last_epoch_.*|.*_of_first_epochs",
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
    "Accuracy and loss", "Shots and noise", "Course of the training", OTHER, "Layer by layer",
    "Size and operations", "Energy",
)  # fmt: skip

# A pattern of the whole name -> its meaning; the first that matches counts. Most names explain themselves.
SENTENCES = {
    r"test_accuracy": "of the test samples, those whose class was predicted",
    r"recorded_accuracy": "the same of real recordings, which were never learned from",
    r"readout_validation_accuracy": "of the readout, on the samples held out",
    r"readout_train_accuracy": "of the readout, on the samples that it was fitted on",
    r"readout_l2_chosen": "1: the penalty was chosen on held-out samples; 0: taken as given",
    r"readout_l2": "penalty of the squared weights",
    r"host_accuracy": "on the host's model of the chip, before the weights are moved",
    r"transfer_accuracy": "with the same weights on the chip",
    r"loop_accuracy": "after training went on with the chip in the loop",
    r"input_cap": "the most that inputs rounded to the chip's bits allow",
    r"classical_accuracy": "with a classical head in place of the circuit",
    r"gain_over_classical": "accuracy less that of the classical head",
    r"accuracy_at_\d+_shots": "with so many shots for each expectation",
    r"accuracy_lost.*": "ideal accuracy less that on the emulated chip",
    r"test_reconstruction_mse": "mean squared difference of a pixel and its reconstruction",
    r"sme.*": "squared mean error, as the tutorial prints it",
    r"parameter_count": "values that are learned",
    r"footprint_bytes": "memory of parameters and buffers",
    r"connection_sparsity": "share of weights that are 0",
    r"activation_sparsity": "share of outputs that are 0, over all units, samples and steps",
    r"effective_macs": "products of a weight and an input, neither 0, for one sample",
    r"effective_acs": "weights that a spike adds, none 0, for one sample",
    r"dense_operations": "as if nothing were 0",
    r"membrane_updates": "steps in which a neuron's potential changes, for one sample",
    r".*_per_step": "the same for one time step",
    r"host_.*_joules": "measured: of this machine's processors, memory and GPU, with whatever else ran on it",
    r"mesh_joules": "an estimate: every spike followed over the mesh of an architecture model, for one sample",
    r"mesh_seconds": "the same model's time: in each step that of the slowest core, and all cores' wait for each other",
    r"mesh_messages": "spikes sent to a core, for one sample",
    r"mesh_hops": "from tile to tile, for one sample",
    r".*joules": "an estimate: counted operations times published joules of each",
    r"calibrated_.*_error": "",
    r"calibrated_.*": "as calibration measured it on the emulated chip",
    r"gain": "LSB of the read-out for an input times a weight of 1",
    r"noise_std": "LSB, of one partial sum",
    r"hidden_rate": "spikes a second of a hidden neuron",
    r"training_(circuits|shots|qpu_seconds)": "that training by parameter shift would ask of the device",
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
