"""Stand-in for a queueing device on the loopback address, with the faults of real ones: python queue_server.py FAULTS

FAULTS is a JSON object, fault -> probability; `seed` and `delay` are not probabilities.
The device counts the shots that it bills. A job is a batch of circuits of one qubit, H then RY(z); its counts are their
rounded expectations, which a client that knows z can check. Each fault occurs with its probability, drawn from `seed`,
the tag or job of a request and the number of such requests so far: their timing does not change the fate of a job.
    delay: seconds until a job is done          fail: a job ends in an error, unpaid
    lose: a job is forgotten, unpaid            mute: a job is accepted and the reply never sent
    repeat: the last answer is sent once more   down: the request is refused (503)
"""

from __future__ import annotations

import json
import math
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Device:
    def __init__(self, faults: dict[str, Any]):
        self.faults, self.lock = faults, threading.Lock()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.last: dict[str, Any] | None = None

    def strikes(self, fault: str, about: str) -> bool:
        self.asked[fault, about] += 1
        draw = random.Random(f"{self.faults.get('seed', 0)} {fault} {about} {self.asked[fault, about]}")
        return draw.random() < self.faults.get(fault, 0.0)

    def submit(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = {**asked, "id": f"job-{len(self.jobs)}", "done": time.monotonic() + self.faults.get("delay", 0.0)}
        job["fate"] = next((fate for fate in ("fail", "lose") if self.strikes(fate, asked["tag"])), "answer")
        self.jobs[job["id"]] = job
        return {"id": job["id"]}

    def find(self, tag: str) -> dict[str, Any]:
        known = [job["id"] for job in self.jobs.values() if job["tag"] == tag and job["fate"] != "lose"]
        return {"id": known[0] if known else None}

    def collect(self, job_id: str) -> dict[str, Any]:
        job = self.jobs.get(job_id)
        if job is None or job["fate"] == "lose":
            return {"id": job_id, "status": "unknown"}
        if self.last is not None and self.strikes("repeat", job_id):
            return self.last
        if time.monotonic() < job["done"]:
            return {"id": job_id, "status": "queued"}
        if job["fate"] == "fail":
            return {"id": job_id, "status": "failed"}
        ones = [round(job["shots"] * (1 + math.sin(z)) / 2) for (z,) in job["values"]]
        self.last = {"id": job_id, "status": "done", "counts": [[job["shots"] - one, one] for one in ones]}
        return self.last

    def bill(self) -> dict[str, Any]:
        """List tag and shots of every job that the device ran or will run; count the jobs that it accepted."""
        paid = [job for job in self.jobs.values() if job["fate"] == "answer"]
        return {"jobs": [[job["tag"], job["shots"] * len(job["values"])] for job in paid], "taken": len(self.jobs)}


class Answering(BaseHTTPRequestHandler):
    """Request handler of a device on the loopback address: it writes answers, but no log."""

    device: Any

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send a reply. `headers`: their names with _ in place of -."""
        self.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def bound(handler: type[Answering], device: Any) -> ThreadingHTTPServer:
    """Return a server that listens on a free port; the caller runs `serve_forever`."""
    return ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), {"device": device}))


@contextmanager
def serving(handler: type[Answering], device: Any) -> Iterator[str]:
    """Context manager: serve a device until the end of the block, and yield its address."""
    server = bound(handler, device)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


class Handler(Answering):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.device.lock:
            about = f"{self.path} {asked.get('job_id') or asked.get('asked', asked).get('tag')}"
            if self.path != "/bill" and self.device.strikes("down", about):
                self.send_error(503)
                return
            answer = getattr(self.device, self.path[1:])(**asked)
            if self.path == "/submit" and self.device.strikes("mute", about):
                self.close_connection = True
                return
        self.answer(200, json.dumps(answer).encode())


def serve(faults: dict[str, Any]) -> ThreadingHTTPServer:
    return bound(Handler, Device(faults))


if __name__ == "__main__":
    server = serve(json.loads(sys.argv[1]))
    print(server.server_address[1], flush=True)
    server.serve_forever()
