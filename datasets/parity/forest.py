"""A tree ensemble read out of an ONNX model: what it compares, how large it is, and SHAP values by their definition."""

import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

LEAF = "LEAF"
HOLDS = {"BRANCH_LT": operator.lt, "BRANCH_LEQ": operator.le}

# What a leaf adds to the sum that is explained, of its weight for each class.
Weigh = Callable[[dict[int, float]], float]


def only(weights: dict[int, float]) -> float:
    """The weight of a leaf that has one."""
    (weight,) = weights.values()
    return weight


@dataclass(frozen=True)
class Node:
    """A node; a leaf has weights, one a class, and no children."""

    mode: str
    feature: int
    cut: float
    missing_tracks_true: bool
    cover: float
    weights: dict[int, float]
    when_true: int
    when_false: int


@dataclass(frozen=True)
class Forest:
    """Trees by number, each its nodes by number; the root is the first."""

    trees: dict[int, dict[int, Node]]
    base: list[float]

    def cuts(self, inputs: int) -> list[np.ndarray]:
        """What each input is compared with."""
        branches = [node for tree in self.trees.values() for node in tree.values() if node.mode != LEAF]
        return [np.unique([node.cut for node in branches if node.feature == at]) for at in range(inputs)]

    def nodes(self) -> int:
        """How many nodes there are."""
        return sum(len(tree) for tree in self.trees.values())


def read(model: onnx.ModelProto) -> Forest | None:
    """The model's ensemble; None if it has none."""
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            return ensemble(attributes, "class" if node.op_type.endswith("Classifier") else "target")
    return None


def ensemble(attributes: dict, kind: str) -> Forest:
    """From the operator's attributes; `kind` is what its leaves name: a class or a target."""
    count = len(attributes["nodes_nodeids"])
    tracking = attributes.get("nodes_missing_value_tracks_true") or [0] * count
    covers = attributes.get("nodes_hitrates") or [0.0] * count
    weights: dict[tuple[int, int], dict[int, float]] = {}
    leaf = [attributes[f"{kind}_{name}"] for name in ("treeids", "nodeids", "ids", "weights")]
    for tree, node, label, weight in zip(*leaf):
        weights.setdefault((tree, node), {})[label] = weight
    trees: dict[int, dict[int, Node]] = {}
    columns = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
    for tree, number, mode, feature, cut, when_true, when_false, tracks, cover in zip(
        *(attributes[f"nodes_{name}"] for name in columns), tracking, covers
    ):
        node = Node(mode.decode(), feature, cut, bool(tracks), cover, weights.get((tree, number), {}), when_true, when_false)
        trees.setdefault(tree, {})[number] = node
    return Forest(trees, list(attributes.get("base_values", [])))


def shap_values(forest: Forest, row: np.ndarray, weigh: Weigh = only) -> np.ndarray:
    """Each input's Shapley value by its definition, over all subsets of the inputs that a tree asks for.

    What a tree expects when only a subset is known: at other inputs it takes both branches, weighed by their covers
    (path-dependent, Lundberg 2020). For a forest whose comparisons are those of HOLDS.
    """
    values = np.zeros(len(row))
    for tree in forest.trees.values():
        asked = sorted({node.feature for node in tree.values() if node.mode != LEAF})
        expected = {known: expectation(tree, row, known, weigh) for size in range(len(asked) + 1)
                    for known in map(frozenset, itertools.combinations(asked, size))}
        for known, value in expected.items():
            for feature in known:
                before = len(known) - 1
                weight = math.factorial(before) * math.factorial(len(asked) - before - 1) / math.factorial(len(asked))
                values[feature] += weight * (value - expected[known - {feature}])
    return values


def expectation(tree: dict[int, Node], row: np.ndarray, known: frozenset[int], weigh: Weigh) -> float:
    """What the tree gives on average if only `known` inputs are."""
    total, waiting = 0.0, [(min(tree), 1.0)]
    while waiting:
        at, share = waiting.pop()
        node = tree[at]
        if node.mode == LEAF:
            total += share * weigh(node.weights)
        elif node.feature in known:
            value = row[node.feature]
            true = node.missing_tracks_true if np.isnan(value) else HOLDS[node.mode](value, np.float32(node.cut))
            waiting.append((node.when_true if true else node.when_false, share))
        else:
            covers = [tree[child].cover for child in (node.when_true, node.when_false)]
            for child, cover in zip((node.when_true, node.when_false), covers):
                waiting.append((child, share * cover / sum(covers)))
    return total
