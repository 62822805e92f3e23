"""Promises of the plan: the jobs are Hydra's, each once, and finished jobs are recognised by their config hash."""

from hashlib import sha256
from pathlib import Path

import pytest

from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError
from neurobench.experiment import memory
from neurobench.experiment.plan import parse
from neurobench.storage.folder import RunFolder
from neurobench.sweeps.plan import Job, jobs_of
from neurobench.sweeps.space import Space, plan_of_trial
from tests.storage.sound import sound_result


def test_jobs_are_those_of_hydra_in_its_order_with_its_configurations(tmp_path: Path) -> None:
    words = ["model=qrbm,hxtorch_mlp", "seed=range(2)", "training.batch_size=10,20", f"outputs={tmp_path}"]
    jobs = jobs_of(words)
    assert [job.overrides[:3] for job in jobs[:3]] == [
        ("model=qrbm", "seed=0", "training.batch_size=10"),
        ("model=qrbm", "seed=0", "training.batch_size=20"),
        ("model=qrbm", "seed=1", "training.batch_size=10"),
    ]
    with composer() as compose:
        assert [job.plan for job in jobs] == [parse(compose(job.overrides)) for job in jobs]


def test_a_key_that_follows_a_swept_one_is_swept_with_it(tmp_path: Path) -> None:
    """chip_seed: ${seed}"""
    jobs = jobs_of(["experiment=hxtorch_yin_yang", "seed=3,4", f"outputs={tmp_path}"])
    assert [job.plan and job.plan.config["backend"]["mac"]["chip_seed"] for job in jobs] == [3, 4]


def leave(job: Job, status: str, result: bool = False) -> RunFolder:
    assert job.plan is not None
    folder = RunFolder.create(Path(job.plan.run.outputs), job.plan.run.name, job.hash, "")
    folder.update(status=status, config_hash=job.hash)
    if result:
        folder.write_result(sound_result())
    folder.release()
    return folder


def test_states_of_jobs_come_from_the_run_folders_with_the_same_config_hash(tmp_path: Path) -> None:
    words = ["model=qrbm", "seed=range(5)", f"outputs={tmp_path}"]
    jobs = jobs_of(words)
    assert {job.state for job in jobs} == {"new"}
    done = leave(jobs[0], "finished", result=True)
    leave(jobs[0], "running")  # a later try that was killed does not undo the finished one
    leave(jobs[1], "running")
    leave(jobs[2], "failed")
    busy = leave(jobs[3], "running")
    busy.acquire()
    again = jobs_of(words)
    busy.release()
    assert [job.state for job in again] == ["finished", "half-done", "failed", "running elsewhere", "new"]
    assert again[0].folder == done.path


def test_jobs_for_other_machines_are_not_refused_for_the_memory_of_the_one_that_plans_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Login nodes of clusters allow each user a few gigabytes."""
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**20)
    words = ["model=qrbm", f"outputs={tmp_path}"]
    assert [job.state for job in (*jobs_of(words), *jobs_of(words, here=False))] == ["refused", "new"]


def test_a_finished_job_whose_initial_network_has_changed_is_new(tmp_path: Path) -> None:
    file = tmp_path / "net.bqm"
    words = ["model=qrbm", f"model.init_from={file}", f"outputs={tmp_path}"]
    file.write_bytes(b"one network")
    (job,) = jobs_of(words)
    leave(job, "finished", result=True).update(initial_sha256=sha256(b"one network").hexdigest())
    assert jobs_of(words)[0].state == "finished"
    file.write_bytes(b"another network")
    assert jobs_of(words)[0].state == "new"
    leave(job, "running").update(initial_sha256=sha256(b"another network").hexdigest())
    assert jobs_of(words)[0].state == "half-done", "of the run that started from this one"
    file.write_bytes(b"one network")
    assert jobs_of(words)[0].state == "finished", "as it was before"
    file.unlink()  # the result remains valid
    assert jobs_of(words)[0].state == "finished"


@pytest.mark.parametrize("reference", ["latest", "tuned"])
def test_jobs_that_would_start_from_each_others_runs_are_refused(tmp_path: Path, reference: str) -> None:
    words = ["model=qrbm", f"model.init_from={reference}", "name=tuned", f"outputs={tmp_path}"]
    assert [job.state for job in jobs_of(words)] == ["new"]
    jobs = jobs_of([*words, "seed=0,1"])
    assert [job.state for job in jobs] == ["refused", "refused"]
    assert f"model.init_from={reference} means the run of another job as soon as that has ended" in jobs[0].faults[0]
    assert [job.state for job in jobs_of([*words, "model.init_from=tuned/20260101", "seed=0,1"])] == ["new", "new"]
    with pytest.raises(ConfigError, match=f"model.init_from={reference} means the run of another trial"):
        plan_of_trial(Space(tuple(words), "validation_accuracy", None, {}), [], None)


def test_a_repeated_configuration_is_planned_once(tmp_path: Path) -> None:
    jobs = jobs_of(["model=qrbm", "model.lr=0.05,0.02,5e-2", f"outputs={tmp_path}"])
    assert [job.state for job in jobs] == ["new", "new", "twice"]


@pytest.mark.parametrize(
    ("words", "swept", "again"),
    [
        (["model.hidden=10,20", "seed=0,1", "model.hidden=30"], "model.hidden=10,20", "model.hidden=30"),
        (["seed=range(3)", "seed=4,5"], "seed=range(3)", "seed=4,5"),
        (["model.lr=0.1,0.2", "model={lr: 0.3}"], "model.lr=0.1,0.2", "model={lr: 0.3}"),
        (["model.lr=0.1,0.2", "model={lr: 0.3},{hidden: 9}"], "model.lr=0.1,0.2", "model={lr: 0.3},{hidden: 9}"),
        (["model=cnn,mlp", "model=mlp"], "model=cnn,mlp", "model=mlp"),
    ],
)
def test_a_swept_key_that_a_later_word_sets_again_is_refused(words: list[str], swept: str, again: str) -> None:
    """The later value counted for the first jobs only, and all were labelled with both."""
    with pytest.raises(ConfigError) as refused:
        jobs_of(["model=mlp", *words])
    assert refused.value.faults == [f"{swept} would have no effect: {again} follows it. Leave one of them out."]


def test_a_key_that_is_swept_after_it_was_set_takes_the_values_of_the_sweep() -> None:
    jobs = jobs_of(["model=mlp", "seed=7", "model.lr=0.3", "seed=0,1", "model.hidden=9"])
    assert [(job.plan.run.seed, job.plan.config["model"]["lr"]) for job in jobs if job.plan] == [(0, 0.3), (1, 0.3)]


def test_a_job_that_cannot_run_is_refused_with_its_reasons(tmp_path: Path) -> None:
    jobs = jobs_of(["model=qrbm", "model.n_hidden=0,10", f"outputs={tmp_path}"])
    assert [job.state for job in jobs] == ["refused", "new"]
    assert jobs[0].faults == ("model.n_hidden=0 is not at least 1",)


@pytest.mark.parametrize("models", ["pixels_lr,mlp", "mlp,pixels_lr"])
def test_a_key_that_one_of_the_models_lacks_is_named(models: str) -> None:
    with pytest.raises(ConfigError, match="model has no key l2. There is name"):
        jobs_of([f"model={models}", "scale=smoke", "model.l2=1"])


def test_a_typo_is_refused_before_anything_is_planned() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean model\.n_hidden"):
        jobs_of(["model.n_hiden=1,2"])


@pytest.mark.parametrize("word", ["resume=false", "resume=true,false", "resume=False"])
def test_a_sweep_with_resume_false_is_refused_with_the_advice_to_use_another_folder(word: str) -> None:
    with pytest.raises(ConfigError, match=f"{word} would have no effect: .* another folder: outputs=FOLDER"):
        jobs_of(["model=qrbm", "seed=1,2", word])


def test_a_sweep_plans_the_same_jobs_with_and_without_resume_true(tmp_path: Path) -> None:
    words = ["model=qrbm", "seed=1,2", f"outputs={tmp_path}"]
    assert [job.hash for job in jobs_of([*words, "resume=true"])] == [job.hash for job in jobs_of(words)]
