#!/usr/bin/env python3
"""Makes the tiny networks of the tests, by hand, so that their answers can be worked out on paper.

    /tmp/ref/bin/pip install onnx; /tmp/ref/bin/python shared/infer/testdata/tiny.py
"""
import pathlib

import onnx
from onnx import TensorProto, helper

OUT = pathlib.Path(__file__).parent


def save(name, nodes, inputs, outputs, weights=()):
    tensor = lambda n, s: helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
    graph = helper.make_graph(nodes, name, [tensor(*i) for i in inputs], [tensor(*o) for o in outputs], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (OUT / f"{name}.onnx").write_bytes(model.SerializeToString())


# Mean of each channel as the score of three classes, any batch, any size.
save("tiny_classes", [helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Flatten", ["m"], ["scores"])],
     [("x", ["n", 3, "h", "w"])], [("scores", ["n", 3])])

# Each pixel's own value as the class probability, channels last, any batch, any size.
save("tiny_dense", [helper.make_node("Identity", ["x"], ["p"])], [("x", ["n", "h", "w", 1])], [("p", ["n", "h", "w", 1])])

# Two inputs: refused.
save("tiny_two", [helper.make_node("Add", ["x", "y"], ["z"])], [("x", [1, 3, 8, 8]), ("y", [1, 3, 8, 8])], [("z", [1, 3, 8, 8])])

# Integers come out: refused.
ints = helper.make_tensor_value_info("k", TensorProto.INT64, [1, 1, 8, 8])
graph = helper.make_graph([helper.make_node("ArgMax", ["x"], ["k"], axis=1)], "tiny_ints",
                          [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])], [ints])
(OUT / "tiny_ints.onnx").write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString())
