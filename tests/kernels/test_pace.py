"""Repeated work is done with as many threads as are faster at the moment, and with no other consequence."""

from types import SimpleNamespace

import pytest

from neurobench.kernels import pace
from neurobench.kernels.pace import LONGEST, SHORTEST, TRIED, Pace

MOST = 4


class Machine:
    """A clock that runs while work is done, and numba's number of threads."""

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
        """Of the last calls, those that were made with so many threads."""
        return self.used[-calls:].count(threads) / calls


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(t1=1.0, t4=0.5)
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: made.now))
    numba = SimpleNamespace(get_num_threads=lambda: made.threads, set_num_threads=made.use)
    monkeypatch.setattr(pace, "numba", numba)
    return made


def test_idle_cores_are_used_and_busy_ones_are_left_alone(machine: Machine) -> None:
    for milliseconds, expected in (({1: 1.0, 4: 0.5}, MOST), ({1: 1.0, 4: 3.0}, 1)):
        machine.milliseconds, paced = milliseconds, Pace()
        for _ in range(1 + 2 * TRIED):
            paced(machine.work, "tried")
        for _ in range(SHORTEST):
            assert paced(machine.work, answer="decided") == "decided"
            assert machine.threads == MOST
        assert machine.share(expected, SHORTEST) == 1


def test_it_changes_its_mind_when_the_cores_do(machine: Machine) -> None:
    paced = Pace()
    for milliseconds, expected in ((0.5, MOST), (3.0, 1), (0.5, MOST)):
        machine.milliseconds[MOST] = milliseconds
        for _ in range(4 * LONGEST):
            paced(machine.work, "")
        assert machine.share(expected, LONGEST) > 1 - 2 * TRIED / LONGEST - 0.001


def test_trials_become_rare_while_a_decision_stands(machine: Machine) -> None:
    paced = Pace()
    machine.used.clear()
    for _ in range(10 * LONGEST):
        paced(machine.work, "")
    assert machine.used.count(1) <= TRIED * (10 + 10)


def test_a_call_that_is_compiled_first_decides_nothing(machine: Machine) -> None:
    machine.milliseconds[MOST] = 10_000.0
    late = Pace()
    late(machine.work, "")
    machine.milliseconds[MOST] = 0.5
    for _ in range(2 * TRIED + SHORTEST):
        late(machine.work, "")
    assert machine.share(MOST, SHORTEST) == 1


def test_one_thread_is_one_thread(machine: Machine) -> None:
    machine.threads = 1
    paced = Pace()
    assert [paced(machine.work, str(n)) for n in range(50)] == [str(n) for n in range(50)]
    assert set(machine.used[1:]) == {1}


def test_another_number_of_threads_is_a_new_beginning(machine: Machine) -> None:
    paced = Pace()
    for _ in range(2 * TRIED + SHORTEST):
        paced(machine.work, "")
    machine.threads, machine.milliseconds[2] = 2, 0.7
    for _ in range(1 + 2 * TRIED + SHORTEST):
        paced(machine.work, "")
    assert set(machine.used[-2 * TRIED - SHORTEST :]) == {1, 2}
    assert machine.share(2, SHORTEST) == 1


def test_what_breaks_leaves_the_threads_as_they_were(machine: Machine) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    paced = Pace()
    for _ in range(3 * TRIED):
        with pytest.raises(ZeroDivisionError):
            paced(broken)
        assert machine.threads == MOST
