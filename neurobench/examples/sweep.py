# %% [markdown]
# # Accuracy against a hyper-parameter
#
# How many hidden units does a restricted Boltzmann machine need on MNIST, and how much do seeds differ? Open this
# file as a notebook (VS Code, Spyder, or `jupytext --to ipynb sweep.py`), or run it as a script. It needs pandas.

# %%
import os

import matplotlib.pyplot as plt

import neurobench as nb

SCALE = os.environ.get("SCALE") or "quick"  # smoke: seconds; quick: about a minute per run; paper: the full schedule
SEEDS = 1 if SCALE == "smoke" else 3

# %% [markdown]
# Each combination of values is a run; a list in a sweep means each of its values. If this cell is run again, finished
# runs are not repeated.

# %%
runs = nb.sweep("model=qrbm", {"model.n_hidden": [10, 30, 100]}, seed=range(SEEDS), scale=SCALE)
runs

# %% [markdown]
# The frame has one row per run, and one column for each key that differs and for each metric.

# %%
frame = runs.frame()
accuracy = frame.groupby("model.n_hidden")["test_accuracy"].agg(["mean", "std", "count"])
print(accuracy)

# %%
figure, axis = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
axis.errorbar(accuracy.index, accuracy["mean"], accuracy["std"], marker="o", capsize=3)
axis.set(xscale="log", xlabel="hidden units", ylabel="test accuracy")
figure.savefig("hidden_units.png")

# %% [markdown]
# Any run of the sweep can be displayed and used.

# %%
best = max(runs, key=lambda run: run.metrics["test_accuracy"])
best

# %%
test = best.data().test
print("target   ", *test.y[:20].tolist())
print("predicted", *best.predict(test.x[:20]))
