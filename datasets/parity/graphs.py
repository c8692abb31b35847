"""ONNX graphs put together by hand."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from cardio.export import OPSET

INPUTS = 13


def model(
    name: str,
    nodes: list[onnx.NodeProto],
    outputs: list[tuple[str, int, list[int | None]]],
    constants: dict[str, np.ndarray] | None = None,
    inputs: Sequence[tuple[str, int, list[int | None]]] = (("inputs", TensorProto.FLOAT, [None, INPUTS]),),
) -> bytes:
    """A model of opset 15 and ai.onnx.ml 3, with tensors of (name, element type, shape)."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*given) for given in inputs],
        [helper.make_tensor_value_info(*given) for given in outputs],
        [onnx.numpy_helper.from_array(value, called) for called, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="datasets/parity")
    return made.SerializeToString(deterministic=True)


def probability(name: str, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray] | None = None) -> bytes:
    """A model with one output, `probability`, rows x 1."""
    return model(name, nodes, [("probability", TensorProto.FLOAT, [None, 1])], constants)


def classifier(name: str, node: onnx.NodeProto, classes: int) -> bytes:
    """A model of one node with the two outputs of a classifier."""
    outputs = [("label", TensorProto.INT64, [None]), ("probabilities", TensorProto.FLOAT, [None, classes])]
    return model(name, [node], outputs)
