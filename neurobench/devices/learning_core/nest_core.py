"""NEST as a learning core: its separate process, and the requests to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from neurobench.config.errors import UserError

SCRIPT = Path(__file__).with_name("nest_process.py")


class NestNetwork:
    """A network in a separate NEST process; see `nest_process.Network` for its methods. Raises UserError if NEST
    raises an error or its process has ended."""

    def __init__(self, setting: dict[str, Any]):
        """Start NEST and build the network. `setting`: steps T and window W, NEST's model and the parameters of its
        neurons, the optimizer, and weights w_in, w_rec, w_out, feedback, [target, source]."""
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYNEST_QUIET": "1"}
        with theirs:
            fd = theirs.fileno()
            words = [sys.executable, str(SCRIPT), str(fd)]
            self._process = subprocess.Popen(
                words, pass_fds=[fd], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        self._asked = Connection(ours.detach())
        self._ask("build", setting)

    def learn(
        self, at: np.ndarray, source: np.ndarray, labels: np.ndarray, rates: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Learn the next G samples. Returns readouts (G, W, K) and spike counts (G, N). `rates`: learning rates, of
        this and the next call."""
        return self._checked(self._ask("learn", at, source, labels, rates), len(labels))

    def predict(
        self, at: np.ndarray, source: np.ndarray, labels: np.ndarray, rates: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what `learn` would return, but leave the network unchanged."""
        return self._checked(self._ask("predict", at, source, labels, rates), len(labels))

    def weights(self, final: bool) -> dict[str, np.ndarray]:
        """Return w_in, w_rec, w_out. `final`: including gradients that are pending until their source's next spike."""
        return self._ask("final_weights" if final else "weights")

    def close(self) -> None:
        self._asked.close()
        self._process.wait()

    def _ask(self, verb: str, *arguments: Any) -> Any:
        try:
            self._asked.send((verb, arguments))
            state, value = self._asked.recv()
        except (EOFError, OSError):
            raise UserError(f"NEST's process ended (exit code {self._process.wait()}) during {verb}") from None
        if state == "failed":
            raise UserError(f"NEST answered {verb} with an error: {value}")
        return value

    def _checked(self, answer: tuple[np.ndarray, np.ndarray], samples: int) -> tuple[np.ndarray, np.ndarray]:
        y, fired = answer
        finite = "all" if np.isfinite(y).all() else "not all"
        if len(y) != samples or len(fired) != samples or finite != "all":
            raise UserError(
                f"NEST answered with readouts of shape {y.shape}, of {samples} samples, {finite} finite. They are not "
                "used; try a smaller learning rate."
            )
        return y, fired
