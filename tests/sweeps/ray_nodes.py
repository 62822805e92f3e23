"""A Ray cluster of two nodes on the loopback interface, started in a separate folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.sweeps.ports import free_port


class Node:
    """A `ray start --block` process and the processes that it started."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str]):
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *words]
        self.log = folder / f"{words[0].strip('-').partition('=')[0]}.log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                start, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True
            )

    def raylet(self) -> int:
        """Process id of the node's raylet."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                mine = f"\nPPid:\t{self.process.pid}\n" in (process / "status").read_text()
                if mine and (process / "comm").read_text() == "raylet\n":
                    return int(process.name)
        raise LookupError("no raylet")

    def end(self) -> None:
        """End the node. Ray's processes lead separate sessions, but their parent ends them."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


@contextlib.contextmanager
def ray_nodes(folder: Path, env: dict[str, str]) -> Iterator[tuple[str, list[Node]]]:
    """Context manager: start a cluster and yield its address and both nodes, one processor each. All end with it."""
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    sockets = tempfile.mkdtemp(prefix="ray")  # their paths must be short
    temporary = f"--temp-dir={sockets}"
    head = ["--head", "--node-ip-address=127.0.0.1", f"--port={address.partition(':')[2]}", "--num-cpus=1", temporary]
    other = [f"--address={address}", "--node-ip-address=127.0.0.2", "--num-cpus=1"]
    nodes: list[Node] = []
    try:
        nodes.append(Node([*head, "--include-dashboard=false"], folder, env))
        _await_started(nodes[0])
        nodes.append(Node(other, folder, env))
        _await_started(nodes[1])
        yield address, nodes
    finally:
        for node in reversed(nodes):
            node.end()
        shutil.rmtree(sockets, ignore_errors=True)


def _await_started(node: Node) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and node.process.poll() is None:
        if "Ray runtime started" in node.log.read_text():
            return
        time.sleep(0.1)
    raise RuntimeError(f"Ray did not come up: {node.log.read_text()[-2000:]}")
