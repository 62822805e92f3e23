"""What is known of real quantum processors.

IBM: medians of the fake backends in qiskit-ibm-runtime, calibration stamp 2025-02-26, errors of 0.5 and more left
out. IonQ: the vendor's page. `bad` is made up: where noise shows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Errors of gates are average infidelities."""

    error_1q: float
    error_2q: float
    time_1q: float  # ns
    time_2q: float  # ns
    p1_given_0: float  # a 0 is read as 1
    p0_given_1: float
    time_readout: float  # ns
    t1: float  # us
    t2: float  # us


PROFILES = {
    "sherbrooke": Profile(2.36e-4, 7.50e-3, 57, 533, 0.0205, 0.0137, 1216, 278, 170),  # Eagle, ecr
    "brisbane": Profile(2.43e-4, 7.68e-3, 60, 660, 0.0205, 0.0132, 1300, 232, 150),  # Eagle, ecr
    "torino": Profile(2.71e-4, 4.08e-3, 32, 68, 0.0200, 0.0229, 1560, 185, 141),  # Heron r1, cz
    "fez": Profile(2.29e-4, 3.82e-3, 24, 84, 0.0039, 0.0115, 1560, 145, 88),  # Heron r2, cz
    "marrakesh": Profile(2.30e-4, 3.23e-3, 36, 68, 0.0054, 0.0134, 2584, 197, 118),  # Heron r2, cz
    # T1 is given as 10 to 100 s; how long reading takes is not published, and counted as 0.
    "ionq_aria": Profile(5.0e-4, 4.0e-3, 135e3, 600e3, 0.0039, 0.0039, 0, 1e7, 1e6),
    # Depolarizing 5e-3 and 0.1 as infidelities; with noise=added that much on top of relaxation.
    "bad": Profile(2.5e-3, 7.5e-2, 36, 68, 0.05, 0.10, 0, 50, 30),
}
