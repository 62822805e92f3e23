# %% [markdown]
# # A spiking and a quantum classifier on a CSV file of your own
#
# The file has a line of names, a column `label`, and numbers in every other column. Here scikit-learn's wine data stand
# in for it: 178 wines, 13 measurements, three growers.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import neurobench as nb

SMOKE = os.environ.get("SCALE") == "smoke"
FILE = Path("wine.csv")

wine = load_wine()
header = ",".join([*(name.replace(" ", "_") for name in wine.feature_names), "label"])
np.savetxt(FILE, np.column_stack([wine.data, wine.target]), delimiter=",", header=header, comments="", fmt="%g")

# %%
names = FILE.read_text().splitlines()[0].split(",")
table = np.loadtxt(FILE, delimiter=",", skiprows=1)
label = names.index("label")
X, y = np.delete(table, label, axis=1), table[:, label].astype(int)
print(f"{len(X)} samples of {X.shape[1]} numbers, classes {np.unique(y)}")

# %% [markdown]
# Each is a scikit-learn classifier. The spiking network reads spikes: the larger a number, the earlier its cells fire.
# The quantum one reads a picture: a bright bar in each row, its place the number's. Both encoders stand between by
# default. Logistic regression on the same numbers says what the data alone are worth.

# %%
classifiers = {
    "logistic regression": make_pipeline(MinMaxScaler(), LogisticRegression()),
    "spiking network": nb.estimator("slayer_snn", hidden=(32,), epochs=1 if SMOKE else 30, batch_size=16),
    "hybrid quantum CNN": nb.estimator("hybrid_qcnn", n_qubits=2 if SMOKE else 4, epochs=1 if SMOKE else 20),
}
folds = StratifiedKFold(2 if SMOKE else 5, shuffle=True, random_state=0)
scores = {name: cross_val_score(each, X, y, cv=folds, error_score="raise") for name, each in classifiers.items()}
for name, accuracy in scores.items():
    print(f"{name:20} {accuracy.mean():.1%} ± {accuracy.std():.1%} over {len(accuracy)} folds")

# %%
figure, axis = plt.subplots(figsize=(5, 2.4), layout="constrained")
axis.barh(
    [*scores], [each.mean() for each in scores.values()], xerr=[each.std() for each in scores.values()], capsize=3
)
axis.set(xlabel="accuracy, mean ± standard deviation over folds", xlim=(0, 1))
figure.savefig("own_csv.png")

# %% [markdown]
# What the chip makes of it: the same network on the emulated Loihi 2.

# %%
chip = nb.estimator("slayer_snn", backend="mock", hidden=(32,), epochs=1 if SMOKE else 30, batch_size=16)
train, test = next(folds.split(X, y))
print(f"emulated chip: {chip.fit(X[train], y[train]).score(X[test], y[test]):.1%} of the first fold")
