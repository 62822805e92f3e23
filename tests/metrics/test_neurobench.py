"""Operation counts equal those of PyPI's neurobench, sample by sample, or differ as the bench states and explains."""

from pathlib import Path

import pytest

from neurobench.metrics.operations import total
from tests.bench import bench_counts

pytestmark = pytest.mark.skipif(
    not bench_counts.PEER.is_dir(), reason="PyPI's neurobench is not there: make .venv/peers/neurobench"
)


def compare(cases: dict[str, bench_counts.Case]) -> None:
    answers = bench_counts.of_peer(cases)
    for name, case in cases.items():
        ours, undefined = total([case.ours])
        unlike = {
            figure: (ours[figure], answers[name][theirs])
            for figure, theirs in bench_counts.FIGURES.items()
            if figure in ours and bench_counts.differs(figure, ours[figure], answers[name][theirs])
        }
        assert unlike.keys() == case.but.keys(), (name, unlike)
        assert all(answers[name][bench_counts.FIGURES[figure]] == 0 for figure in undefined)
        for population in case.ours.populations:
            by_layer = answers[name]["ActivationSparsityByLayer"]
            if population.name in by_layer:
                assert ours[f"activation_sparsity_{population.name}"] == pytest.approx(by_layer[population.name])


def test_counts_of_small_networks_equal_pypis_neurobench_except_for_declared_differences() -> None:
    compare({name: make() for name, make in bench_counts.SMALL.items()})


@pytest.mark.parametrize("name", ["hxtorch_mlp in floats", "slayer_snn on the emulated Loihi 2"])
def test_counts_of_trained_networks_equal_pypis_neurobench_except_for_declared_differences(
    name: str, tmp_path: Path
) -> None:
    overrides, make = bench_counts.TRAINED[name]
    compare({name: make(*bench_counts.trained(overrides, 3, tmp_path))})
