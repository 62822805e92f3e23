"""NIR graphs as files: a layered one to start from, and one with trained weights."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from neurobench.problems.nir_file import nir_package

DT = 1e-3  # s
DECAYS = {"tau_syn": 0.25, "tau_mem": 0.03}  # per step, of current and voltage: those of model=slayer_snn
THRESHOLD = 1.25


def layered(sizes: tuple[int, ...], seed: int) -> bytes:
    """NIR file with Linear - CubaLIF for each layer, weights U(+-sqrt(3 / inputs))."""
    nir, rng = nir_package(), np.random.default_rng(seed)
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([sizes[0]])})}
    for k, (inputs, width) in enumerate(itertools.pairwise(sizes)):
        reach = np.sqrt(3 / inputs)
        nodes[f"linear{k}"] = nir.Linear(rng.uniform(-reach, reach, (width, inputs)).astype(np.float32))
        constants = {name: DT / decay for name, decay in DECAYS.items()}
        constants |= {"w_in": 1 / DECAYS["tau_syn"], "r": 1 / DECAYS["tau_mem"], "v_leak": 0, "v_reset": 0}
        constants["v_threshold"] = THRESHOLD
        nodes[f"cuba{k}"] = nir.CubaLIF(**{key: np.full(width, each, np.float32) for key, each in constants.items()})
    nodes["output"] = nir.Output({"output": np.array([sizes[-1]])})
    return _written(nir, nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), metadata={"dt": DT}))


def with_parameters(content: bytes, parameters: Mapping[str, Tensor], dt: float) -> bytes:
    """The file with new weights, named "node.array", in float32, and the step in which they were computed, dt seconds,
    in its metadata; subgraphs, other metadata and the rest are unchanged."""
    nir = nir_package()
    graph = nir.read(io.BytesIO(content), type_check=False)
    graph.metadata = {**(graph.metadata or {}), "dt": dt}
    for name, tensor in parameters.items():
        path, _, field = name.rpartition(".")
        setattr(_node_at(graph, path), field, tensor.detach().cpu().numpy().astype(np.float32))
    return _written(nir, graph)


def _node_at(graph: Any, path: str) -> Any:
    """Find a node by its dotted path, None if there is none; names of nodes may themselves contain dots."""
    if path in graph.nodes:
        return graph.nodes[path]
    inner = (key for key in graph.nodes if path.startswith(f"{key}.") and hasattr(graph.nodes[key], "nodes"))
    nodes = (_node_at(graph.nodes[key], path[len(key) + 1 :]) for key in inner)
    return next((node for node in nodes if node is not None), None)


def _written(nir: Any, graph: Any) -> bytes:
    memory = io.BytesIO()
    nir.write(memory, graph)
    return memory.getvalue()
