"""Stand-in for D-Wave's service on the loopback address, as far as dwave-cloud-client uses it, with a queue and faults.

It is a `queue_server.Device` whose jobs are problems for a machine with the graph Zephyr Z3: each fault occurs with its
probability, drawn by `seed`; a problem with the fate `lose` is unknown to the account. The client is D-Wave's own. Each
read is a descent from a random state.
"""

from __future__ import annotations

import base64
import copy
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import ParseResult, parse_qs, urlparse

import numpy as np
import pytest

from tests.devices.queue_server import Answering, Device, serving

NAME, SIZE = "Advantage2_system1.11", [3, 4]
Reply = tuple[int, Any, str]  # HTTP status, content to be sent as JSON, and D-Wave's name for its type
DOWN: Reply = (503, {"error_code": 503, "error_msg": "down"}, "error")


class Service(Device):
    """State of the service. `jobs` is inherited; a problem has the id of its job."""

    def __init__(self, faults: dict[str, Any]):
        from dwave.cloud.testing.mocks import qpu_problem_timing_data, qpu_zephyr_solver_data

        super().__init__(faults)
        self.solver = qpu_zephyr_solver_data(
            *SIZE, name=NAME, graph_id="01", problem_timing_data=qpu_problem_timing_data()
        )
        self.properties = self.solver["properties"]
        self.properties["parameters"] |= {"annealing_time": "us", "auto_scale": "", "answer_mode": ""}
        self.rejection: Reply | None = None  # reply to every submission
        self.failure = "the chip was warm"
        self.posts = 0
        self.answers = "fine"  # or "no rows", "infinite", "other energies"
        self.properties |= {"h_range": [-4.0, 4.0], "per_qubit_coupling_range": [-18.0, 15.0]}

    def take(self, problem: dict[str, Any]) -> dict[str, Any]:
        job = self.submit({"tag": problem["label"], "shots": problem["params"]["num_reads"], "values": [0]})["id"]
        self.jobs[job] |= {"problem": problem, "solver": copy.deepcopy(self.solver["identity"])}
        return self.status(job)

    def change_graph(self) -> None:
        self.solver["identity"]["version"]["graph_id"] = "02"

    def status(self, job: str) -> dict[str, Any]:
        known = self.jobs[job]
        done = time.monotonic() >= known["done"]
        message = {
            "id": job, "type": "ising", "solver": known["solver"], "label": known["tag"],
            "submitted_on": datetime.now(UTC).isoformat(), "status": "PENDING",
        }  # fmt: skip
        if done and known["fate"] == "fail":
            return message | {"status": "FAILED", "error_message": self.failure}
        return message | {"status": "COMPLETED"} if done else message

    def known(self, job: str) -> bool:
        return job in self.jobs and self.jobs[job]["fate"] != "lose"

    def listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        jobs = [job for job in self.jobs if self.known(job)]
        if "label" in query:
            jobs = [job for job in jobs if self.jobs[job]["tag"] == query["label"][0]]
        return [self.status(job) for job in jobs if "id" not in query or job in query["id"][0].split(",")]

    def whole(self, job: str) -> dict[str, Any]:
        message = self.status(job)
        return (
            message | {"answer": self.answer(self.jobs[job]["problem"])}
            if message["status"] == "COMPLETED"
            else message
        )

    def answer(self, problem: dict[str, Any]) -> dict[str, Any]:
        lin = np.frombuffer(base64.b64decode(problem["data"]["lin"]), "<f8")
        active = [qubit for qubit, h in zip(self.properties["qubits"], lin, strict=True) if not np.isnan(h)]
        number = {qubit: k for k, qubit in enumerate(active)}
        edges = [(number[a], number[b]) for a, b in self.properties["couplers"] if a in number and b in number]
        J = np.zeros((len(active),) * 2)
        for (a, b), bias in zip(edges, np.frombuffer(base64.b64decode(problem["data"]["quad"]), "<f8"), strict=True):
            J[a, b] = J[b, a] = bias
        h, reads = lin[~np.isnan(lin)], problem["params"]["num_reads"]
        draw = np.random.default_rng([len(self.jobs), reads])
        spins = draw.choice([-1.0, 1.0], (reads, len(active)))
        for _ in range(3):
            for k in range(len(active)):
                spins[:, k] = np.where(spins @ J[k] + h[k] > 0, -1.0, 1.0)
        energies = spins @ h + ((spins @ J) * spins).sum(1) / 2
        energies = {"infinite": energies * np.inf, "other energies": energies + 1}.get(self.answers, energies)
        order = energies.argsort(kind="stable")[: 0 if self.answers == "no rows" else reads]
        bits = np.packbits(spins[order] > 0, axis=1)
        coded = {
            "active_variables": np.array(active, "<i4"),
            "energies": energies[order].astype("<f8"),
            "solutions": bits,
        }
        coded["num_occurrences"] = np.ones(len(order), "<i4")
        timing = {"qpu_access_time": 15000 + 50 * reads}
        texts = {name: base64.b64encode(values.tobytes()).decode() for name, values in coded.items()}
        return {"format": "qp", "num_variables": self.properties["num_qubits"], "timing": timing, **texts}


class Handler(Answering):
    device: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        problems = json.loads(zlib.decompress(body) if self.headers["Content-Encoding"] == "deflate" else body)
        with self.device.lock:
            self.device.posts += 1
            refused = DOWN if self.device.strikes("down", self.path) else self.device.rejection
            taken = [] if refused else [self.device.take(problem) for problem in problems]
            mute = not refused and self.device.strikes("mute", problems[0]["label"])
        if not mute:
            self.say(*(refused or (200, taken, "problems")))

    def do_GET(self) -> None:
        with self.device.lock:
            reply = self.reply(urlparse(self.path))
        self.say(*reply)

    def reply(self, url: ParseResult) -> Reply:
        first, *rest = (part for part in url.path.split("/") if part)
        if first == "solvers":  # then "remote", and the name of a single one
            one = len(rest) > 1
            return (
                200,
                self.device.solver if one else [self.device.solver],
                f"solver-definition{'' if one else '-list'}",
            )
        if self.device.strikes("down", url.path):
            return DOWN
        if not rest:
            return 200, self.device.listed(parse_qs(url.query)), "problems"
        if not self.device.known(rest[0]):
            return 404, {"error_code": 404, "error_msg": "Problem does not exist"}, "error"
        return 200, self.device.whole(rest[0]), "problem"

    def say(self, code: int, content: Any, kind: str) -> None:
        type_of = f"application/vnd.dwave.sapi.{kind}+json; version=3.0.0"
        self.answer(code, json.dumps(content).encode(), Content_Type=type_of)


@contextmanager
def reachable(monkeypatch: pytest.MonkeyPatch, faults: dict[str, Any], token: str) -> Iterator[Service]:
    """Context manager: run the service where D-Wave's client looks for it, by environment variables that it reads."""
    from dwave.cloud import Client

    service = Service(faults)
    monkeypatch.setenv("DWAVE_API_TOKEN", token)
    monkeypatch.setattr(Client, "_DEFAULT_SOLVERS_CACHE_CONFIG", {"enabled": False})  # no files in the user's folder
    with serving(Handler, service) as address:
        monkeypatch.setenv("DWAVE_API_ENDPOINT", f"{address}/")
        yield service
