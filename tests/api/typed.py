"""A script that uses all of the public API, for `mypy --strict`: see test_public. It is never run."""

from pathlib import Path

import neurobench as nb

run = nb.run("model=qrbm", "backend=mock", {"model.lr": 0.1}, seed=1, progress=False)
accuracy: float = run.metrics["test_accuracy"]
row: dict[str, object] = run.history[-1]
where: Path = run.path
classes = run.predict([[0.0, 1.0]])
share: float = float((classes == 1).mean())
scores = run.learner.predict(run.data().test.x).argmax(1)
n_epochs: int = run.plan.training.epochs
drawn: list[str] = list(run.figures)
settings = run.config["model"]
nb.allow(Path("mine.py"))

swept: nb.Runs = nb.sweep("model=qrbm", {"model.lr": [0.1, 0.2]}, seed=range(3), workers=2, options={})
for one in swept[:2]:
    print(one.name, one.status, one.summary["seed"])
frame = swept.frame()
print(frame.groupby("model.lr")["test_accuracy"].mean())
finished: nb.Runs = nb.runs("outputs", model="qrbm", status="finished")
again: nb.Run = nb.load("latest") if finished else nb.load(where, outputs=Path("outputs"))
table: nb.Table = nb.table("dynex")
own_table: nb.Table = nb.table("own", config_dir=Path("mine"))
verdicts: list[str] = [row.verdict for row in table]

splits = nb.datasets.load("nmnist", root=Path("data"), seed=1)
n: int = len(splits.train)
names: list[str] = nb.datasets.names()
events = nb.encoders.latency([[0.0, 1.0]], cells=4)
sensor: tuple[int, int, int] = events.sensor
images = nb.encoders.counts(events).sum()

model = nb.estimator("qrbm", n_hidden=300).fit([[0.0], [1.0]], ["a", "b"])
good: float = model.score([[0.0]], ["a"])
predicted = model.predict([[0.0]]).tolist()

try:
    nb.run("model=qrmb")
except nb.ConfigError as error:
    faults: list[str] = error.faults
except (nb.UserError, nb.DataError) as failure:
    print(failure)
version: str = nb.__version__
nb.rnu()  # type: ignore[attr-defined]  # a strict type checker reports an unneeded ignore
