"""Files that no engine should take for a heart score: each is wrong in one way, and each way is told."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import xgboost
from onnx import TensorProto, helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from cardio.export import OPSET
from cardio.table import Patients

from . import graphs, trees
from .fitted import SEED, XGBOOST, content, filled

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


@dataclass(frozen=True)
class Refused:
    """A file, and why it is refused."""

    name: str
    why: str
    content: bytes


def refused(patients: Patients, cardio: bytes) -> Iterator[Refused]:
    """All of them; `cardio` is the heart score's own file."""
    yield Refused("empty", "the file is empty", b"")
    yield Refused("text", "the file is no ONNX model", b"cardio: a model, believe me\n")
    yield Refused("half", "the file ends in the middle", cardio[: len(cardio) // 2])
    yield Refused("last_byte", "the file's last byte is missing", cardio[:-1])
    yield from wrong_shape()
    yield from wrong_answers(patients)
    yield from wrong_operators(patients)
    for name, why, change in BROKEN_TREES:
        nodes = small_tree()
        change(nodes)
        yield Refused(name, why, graphs.probability(name, [trees.regressor(nodes, np.array([0.1, 0.5, 0.9]))]))


def linear(inputs: str, inputs_count: int = graphs.INPUTS) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """A logistic regression in plain operators, from `inputs` to `probability`: 0 stands in for what is missing."""
    nodes = [
        helper.make_node("IsNaN", [inputs], ["missing"]),
        helper.make_node("Where", ["missing", "zero", inputs], ["known"]),
        helper.make_node("MatMul", ["known", "w"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    return nodes, {"w": np.full((inputs_count, 1), 0.001, np.float32), "zero": np.zeros(1, np.float32)}


def wrong_shape() -> Iterator[Refused]:
    """Inputs or outputs that do not fit."""
    answer = ("probability", FLOAT, [None, 1])
    nodes, constants = linear("inputs", 12)
    given = [("inputs", FLOAT, [None, 12])]
    yield Refused("twelve_inputs", "12 inputs, not 13", graphs.model("twelve_inputs", nodes, [answer], constants, given))
    joined = helper.make_node("Concat", ["first", "second"], ["inputs"], axis=1)
    nodes, constants = linear("inputs")
    given = [("first", FLOAT, [None, 12]), ("second", FLOAT, [None, 1])]
    yield Refused("two_inputs", "two input tensors, not one",
                  graphs.model("two_inputs", [joined, *nodes], [answer], constants, given))
    cast = helper.make_node("Cast", ["inputs"], ["single"], to=FLOAT)
    nodes, constants = linear("single")
    given = [("inputs", DOUBLE, [None, 13])]
    yield Refused("double_inputs", "inputs are double, not float",
                  graphs.model("double_inputs", [cast, *nodes], [answer], constants, given))
    nodes, constants = linear("inputs")
    swapped = [helper.make_node("Cast", ["probability"], ["label"], to=FLOAT),
               helper.make_node("Cast", ["probability"], ["probabilities"], to=INT64)]
    outputs = [("label", FLOAT, [None, 1]), ("probabilities", INT64, [None, 1])]
    yield Refused("swapped_outputs", "the label is float, the probabilities are whole numbers",
                  graphs.model("swapped_outputs", nodes + swapped, outputs, constants))
    label = helper.make_node("Cast", ["probability"], ["label"], to=INT64)
    yield Refused("label_only", "there is a label, and no probability",
                  graphs.model("label_only", [*nodes, label], [("label", INT64, [None, 1])], constants))


def wrong_answers(patients: Patients) -> Iterator[Refused]:
    """What comes out is no probability of a class labelled 1."""
    yield nan_to_nan()
    leaves = np.array([[0.1], [0.5], [0.9]])
    for name, why, labels in (
        ("no_class_one", "no class is labelled 1", {"classlabels_int64s": [0, 2]}),
        ("text_labels", "the classes are labelled by words", {"classlabels_strings": ["healthy", "ill"]}),
    ):
        node = trees.ensemble(small_tree(), leaves, [1], 2, post_transform="NONE")
        kept = [attribute for attribute in node.attribute if attribute.name != "classlabels_int64s"]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(called, value) for called, value in labels.items())])
        kind = TensorProto.STRING if name == "text_labels" else INT64
        outputs = [("label", kind, [None]), ("probabilities", FLOAT, [None, 2])]
        yield Refused(name, why, graphs.model(name, [node], outputs))
    raw = xgboost.XGBRegressor(**{**XGBOOST, "n_estimators": 10}, objective="reg:logistic").fit(patients.x, patients.ill)
    kinds = [("inputs", FloatTensorType([None, graphs.INPUTS]))]
    converted = convert_xgboost(raw, name="margin", initial_types=kinds, target_opset=OPSET)
    yield Refused("margin", "a regression's margin, below 0 and above 1, as onnxmltools 1.16 writes reg:logistic",
                  content(converted))
    for name, why, bases in (
        ("base_of_first", "weights of the second class, a base value of the first: onnxruntime 1.32 drops it", [0.25]),
        ("two_bases", "weights of one class, base values of two: onnxruntime 1.32 drops the trees", [0.0, 0.25]),
    ):
        node = trees.ensemble(small_tree(), leaves, [1], 2, post_transform="LOGISTIC", base_values=bases)
        yield Refused(name, why, graphs.classifier(name, node, 2))
    node = trees.ensemble(small_tree(), np.hstack([-leaves, leaves]), [0, 1], 2, post_transform="LOGISTIC",
                          base_values=[-0.25, 0.25])
    yield Refused("two_bases_of_two", "weights and base values of two classes: onnxruntime 1.32 adds the second's to the first",
                  graphs.classifier("two_bases_of_two", node, 2))
    logistic = trees.regressor(small_tree(), np.array([-1.0, 0.0, 1.0]), post_transform="LOGISTIC")
    yield Refused("regressor_logistic", "LOGISTIC on a regressor: the standard applies it, onnxruntime 1.32 does not",
                  graphs.probability("regressor_logistic", [logistic]))


def nan_to_nan() -> Refused:
    """The logistic regression with nothing in the place of what is missing."""
    nodes = [
        helper.make_node("MatMul", ["inputs", "w"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    weights = {"w": np.full((graphs.INPUTS, 1), 0.001, np.float32)}
    return Refused("nan_to_nan", "a missing input gives NaN", graphs.probability("nan_to_nan", nodes, weights))


def wrong_operators(patients: Patients) -> Iterator[Refused]:
    """What the engine does not run, or must not read."""
    whole = filled(patients)
    tree = DecisionTreeClassifier(max_depth=2, random_state=SEED).fit(whole.x, whole.ill)
    converted = to_onnx(tree, whole.x[:1], name="zip_map", target_opset=OPSET)
    yield Refused("zip_map", "operator ZipMap", content(converted))
    scaled = make_pipeline(StandardScaler(), tree).fit(whole.x, whole.ill)
    converted = to_onnx(scaled, whole.x[:1], name="scaler", options={"zipmap": False}, target_opset=OPSET)
    yield Refused("scaler", "operator Scaler", content(converted))
    logistic = LogisticRegression(max_iter=5000)
    scaled = make_pipeline(StandardScaler(), logistic).fit(whole.x, whole.ill)
    converted = to_onnx(scaled, whole.x[:1], name="scaler_linear", options={"zipmap": False}, target_opset=OPSET)
    yield Refused("scaler_linear", "operator Scaler before what is no tree", content(converted))
    converted = to_onnx(logistic.fit(whole.x, whole.ill), whole.x[:1], name="zip_map_linear", target_opset=OPSET)
    yield Refused("zip_map_linear", "operator ZipMap behind what is no tree", content(converted))
    nodes = [helper.make_node("Augury", ["inputs"], ["probability"])]
    yield Refused("unknown_operator", "operator Augury", graphs.probability("unknown_operator", nodes))
    nodes, constants = linear("inputs")
    model = onnx.load_from_string(graphs.probability("external_data", nodes, constants))
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../../../../../../etc/hostname")
    model.graph.initializer[0].ClearField("raw_data")
    yield Refused("external_data", "weights in another file", model.SerializeToString(deterministic=True))


def small_tree() -> trees.Nodes:
    """Two comparisons, three leaves."""
    nodes = trees.Nodes()
    nodes.branch(0, 0, "BRANCH_LT", 0, 50.0, 1, 2, 0)
    nodes.branch(0, 1, "BRANCH_LT", 3, 120.0, 3, 4, 1)
    for number in (2, 3, 4):
        nodes.leaf(0, number)
    return nodes


def put(name: str, place: int, value: object):
    """A change of one attribute of one node."""
    return lambda nodes: nodes.attributes[f"nodes_{name}"].__setitem__(place, value)


BROKEN_TREES = (
    ("cycle", "node 1 leads back to node 0", put("truenodeids", 1, 0)),
    ("own_child", "node 1 leads to itself", put("falsenodeids", 1, 1)),
    ("missing_child", "node 1 leads to node 99, which is not there", put("truenodeids", 1, 99)),
    ("same_node_twice", "two nodes are numbered 3", put("nodeids", 4, 3)),
    ("input_13", "node 1 asks for input 13; the last is 12", put("featureids", 1, 13)),
    ("negative_input", "node 1 asks for input -1", put("featureids", 1, -1)),
    ("unknown_mode", "node 1 compares by BRANCH_MAYBE", put("modes", 1, "BRANCH_MAYBE")),
    ("nan_cut", "node 1 compares with NaN", put("values", 1, float("nan"))),
    ("uneven", "one of nodes_values is missing", lambda nodes: nodes.attributes["nodes_values"].pop()),
)
