"""Repeated work is done with the number of threads that is faster at the moment, and nothing else changes."""

from types import SimpleNamespace

import pytest

from neurobench.kernels import adaptive_threads
from neurobench.kernels.adaptive_threads import LONGEST, SHORTEST, TRIED, AdaptiveThreads

MOST = 4


class Machine:
    """A clock that advances while work is done, and numba's number of threads."""

    def __init__(self, **milliseconds: float):
        self.now, self.threads, self.used = 0.0, MOST, [0]
        self.milliseconds = {int(name[1:]): value for name, value in milliseconds.items()}

    def work(self, answer: str) -> str:
        self.now += self.milliseconds[self.threads] / 1000
        self.used.append(self.threads)
        return answer

    def use(self, threads: int) -> None:
        self.threads = threads

    def share(self, threads: int, calls: int) -> float:
        """Share of the last calls that were made with this number of threads."""
        return self.used[-calls:].count(threads) / calls


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(t1=1.0, t4=0.5)
    monkeypatch.setattr(adaptive_threads, "time", SimpleNamespace(perf_counter=lambda: made.now))
    numba = SimpleNamespace(get_num_threads=lambda: made.threads, set_num_threads=made.use)
    monkeypatch.setattr(adaptive_threads, "numba", numba)
    return made


def test_idle_cores_are_used_and_busy_ones_are_left_alone(machine: Machine) -> None:
    for milliseconds, expected in (({1: 1.0, 4: 0.5}, MOST), ({1: 1.0, 4: 3.0}, 1)):
        machine.milliseconds, paced = milliseconds, AdaptiveThreads()
        for _ in range(1 + 2 * TRIED):
            paced(machine.work, "tried")
        for _ in range(SHORTEST):
            assert paced(machine.work, answer="decided") == "decided"
            assert machine.threads == MOST
        assert machine.share(expected, SHORTEST) == 1


def test_the_number_of_threads_changes_when_cores_become_busy_or_idle(machine: Machine) -> None:
    paced = AdaptiveThreads()
    for milliseconds, expected in ((0.5, MOST), (3.0, 1), (0.5, MOST)):
        machine.milliseconds[MOST] = milliseconds
        for _ in range(4 * LONGEST):
            paced(machine.work, "")
        assert machine.share(expected, LONGEST) > 1 - 2 * TRIED / LONGEST - 0.001


def test_trials_become_rare_while_the_decision_stays_the_same(machine: Machine) -> None:
    paced = AdaptiveThreads()
    machine.used.clear()
    for _ in range(10 * LONGEST):
        paced(machine.work, "")
    assert machine.used.count(1) <= TRIED * (10 + 10)


def test_the_first_call_which_may_compile_is_not_counted_as_a_trial(machine: Machine) -> None:
    machine.milliseconds[MOST] = 10_000.0
    late = AdaptiveThreads()
    late(machine.work, "")
    machine.milliseconds[MOST] = 0.5
    for _ in range(2 * TRIED + SHORTEST):
        late(machine.work, "")
    assert machine.share(MOST, SHORTEST) == 1


def test_one_thread_is_used_if_only_one_is_available(machine: Machine) -> None:
    machine.threads = 1
    paced = AdaptiveThreads()
    assert [paced(machine.work, str(n)) for n in range(50)] == [str(n) for n in range(50)]
    assert set(machine.used[1:]) == {1}


def test_a_change_of_the_available_threads_restarts_the_trials(machine: Machine) -> None:
    paced = AdaptiveThreads()
    for _ in range(2 * TRIED + SHORTEST):
        paced(machine.work, "")
    machine.threads, machine.milliseconds[2] = 2, 0.7
    for _ in range(1 + 2 * TRIED + SHORTEST):
        paced(machine.work, "")
    assert set(machine.used[-2 * TRIED - SHORTEST :]) == {1, 2}
    assert machine.share(2, SHORTEST) == 1


def test_a_failing_call_leaves_the_number_of_threads_unchanged(machine: Machine) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    paced = AdaptiveThreads()
    for _ in range(3 * TRIED):
        with pytest.raises(ZeroDivisionError):
            paced(broken)
        assert machine.threads == MOST
