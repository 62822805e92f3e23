# %% [markdown]
# # A spiking and a quantum classifier on a CSV file of your own
#
# The file has a header line with column names, a column for the label, and numbers in every other column. This example
# uses scikit-learn's wine data: 178 wines, 13 measurements, three growers.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

import neurobench as nb

SCALE = os.environ.get("SCALE") or "paper"  # smoke: one epoch, to check that it runs

wine = load_wine()
header = ",".join([*wine.feature_names, "grower"])
np.savetxt("wine.csv", np.column_stack([wine.data, wine.target]), delimiter=",", header=header, comments="", fmt="%g")

# %% [markdown]
# A fifth of the samples is drawn as the test set, the same for every run, and a part of the others is held out for
# validation. Columns are scaled by their range in the training samples.

# %%
data = {"dataset": "csv", "dataset.root": "wine.csv", "dataset.label": "grower", "scale": SCALE}
splits = nb.datasets.load("csv", root="wine.csv", label="grower")
print(len(splits.train), len(splits.validation), len(splits.test), "samples to learn from, held out, to test on")

# %% [markdown]
# The spiking network reads spikes: the larger a number, the earlier its cells fire. The quantum network reads an image
# in which each number has its own row. Both encoders are applied by default. `mock` is the emulated chip. Logistic
# regression on the same numbers shows what accuracy the data alone allow.

# %%
spiking = {"model": "slayer_snn", "model.hidden": [32], "model.augment": False, "training.epochs": 30}
quantum = {"model": "hybrid_qcnn", "model.n_qubits": 4, "training.epochs": 30}
small = {"training.batch_size": 16}
runs = {
    "logistic regression": nb.run(data, {"model.threshold": None}, small, model="pixels_lr"),
    "spiking network": nb.run(data, spiking, small),
    "the same on Loihi 2, emulated": nb.run(data, spiking, small, backend="mock"),
    "hybrid quantum network": nb.run(data, quantum, small),
}
for name, run in runs.items():
    print(f"{name:30} {run.metrics['test_accuracy']:.1%}")

# %% [markdown]
# With so few test samples, the 95 % intervals are wide.

# %%
figure, axis = plt.subplots(figsize=(6, 2.4), layout="constrained")
for row, run in enumerate(runs.values()):
    low, high = run.result["intervals"]["test_accuracy"]
    axis.plot([low, high], [row, row], color="grey")
    axis.plot(run.metrics["test_accuracy"], row, "o", color="black")
axis.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel="test accuracy, 95 % interval")
figure.savefig("own_csv.png")

# %% [markdown]
# A run displays its figures of merit, and can classify new samples.

# %%
runs["spiking network"]

# %%
print("target   ", *splits.test.y[:20].tolist())
print("predicted", *runs["spiking network"].predict(splits.test.x[:20]))
