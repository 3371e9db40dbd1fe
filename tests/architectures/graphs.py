"""ONNX graphs written node by node, as one of PyTorch's two exporters writes them.

"script" (TorchScript): constants are nodes, sizes are gathered one by one from Shape and joined again.
"dynamo" (torch.export): constants are initialisers, sizes are pieces of Shape, everything is folded that can be.
"""

from __future__ import annotations

import itertools

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
STYLES = ("script", "dynamo")
KINDS = {np.dtype("float32"): FLOAT, np.dtype("int64"): INT64, np.dtype("bool"): BOOL}


def random_weights(shapes, seed, gain=1.0):
    """Weights of layers whose sums neither vanish nor explode, by name; norms start near the identity."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 16
        values = rng.normal(0.0, gain / np.sqrt(fan_in), shape)
        if len(shape) == 1 and name.endswith("weight"):
            values += 1.0
        weights[name] = values.astype(np.float32)
    return weights


class Graph:
    """A graph under construction; subgraphs see the values of the graphs around them."""

    def __init__(self, weights, opset, style, outer=None):
        self.weights, self.opset, self.style = weights, opset, style
        self.nodes, self.outer = [], outer
        self.top = self if outer is None else outer.top
        if outer is None:
            self.initializers, self.numbers = {}, itertools.count()

    @property
    def script(self):
        return self.style == "script"

    def op(self, kind, *inputs, outputs=1, **attributes):
        """Add a node; numbers among its inputs become constants."""
        names = [f"{kind}_{next(self.top.numbers)}" for _ in range(outputs)]
        inputs = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"node_{names[0]}", **attributes))
        return names[0] if outputs == 1 else tuple(names)

    def constant(self, value):
        array = np.asarray(value)
        array = array.astype({"f": np.float32, "i": np.int64, "b": np.bool_}[array.dtype.kind])
        if self.script:
            return self.op("Constant", value=numpy_helper.from_array(array))
        return self._keep(f"val_{next(self.top.numbers)}", array)

    def weight(self, name, transposed=False, vector=False):
        """A weight; exporters transpose those of linear layers, and give normalisation's a shape to broadcast."""
        array = self.weights[name]
        if transposed:
            return self._keep(f"{name}_t", np.ascontiguousarray(array.T))
        if vector:
            return self._keep(f"{name}_v", array.reshape(-1, 1, 1))
        return self._keep(name, array)

    def _keep(self, name, array):
        self.top.initializers[name] = array
        return name

    def scalar(self, tensor, axis):
        """One size of a tensor as a number."""
        if self.script:
            return self.op("Gather", self.op("Shape", tensor), np.int64(axis), axis=0)
        return self.op("Squeeze", self.size(tensor, axis))

    def size(self, tensor, axis):
        """One size of a tensor as a list of one."""
        if self.script:
            return self.op("Unsqueeze", self.scalar(tensor, axis), [0])
        return self.op("Shape", tensor, start=axis, end=axis + 1)

    def listed(self, scalar):
        """A number as a list of one."""
        return self.op("Unsqueeze", scalar, [0]) if self.script else self.op("Reshape", scalar, [-1], allowzero=0)

    def shape(self, *parts):
        """A shape of numbers and of lists of one, joined."""
        if all(isinstance(part, int) for part in parts):
            return self.constant(np.int64(parts))
        return self.op("Concat", *([part] if isinstance(part, int) else part for part in parts), axis=0)

    def reshape(self, tensor, *parts):
        return self.op("Reshape", tensor, self.shape(*parts), allowzero=0 if self.script else 1)

    def expand(self, tensor, *parts):
        """Broadcast; TorchScript replaces sizes of -1 when the model runs."""
        shape = self.shape(*parts)
        if self.script:
            ones = self.op("ConstantOfShape", np.int64([len(parts)]), value=numpy_helper.from_array(np.int64([1])))
            kept = self.op("Equal", shape, self.op("Mul", ones, np.int64(-1)))
            shape = self.op("Where", kept, ones, shape)
        return self.op("Expand", tensor, shape)

    def transpose(self, tensor, *axes):
        return self.op("Transpose", tensor, perm=axes)

    def cast(self, tensor, kind):
        return self.op("Cast", tensor, to=kind)

    def reduce_mean(self, tensor, axes):
        if self.opset < 18:
            return self.op("ReduceMean", tensor, axes=axes, keepdims=1)
        return self.op("ReduceMean", tensor, np.int64(axes), keepdims=1)

    def linear(self, tensor, name, bias=True):
        product = self.op("MatMul", tensor, self.weight(f"{name}.weight", transposed=True))
        return self.op("Add", self.weight(f"{name}.bias"), product) if bias else product

    def conv(self, tensor, name, stride=1, pad=0):
        kernel = self.weights[f"{name}.weight"].shape[2:]
        return self.op(
            "Conv", tensor, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
            dilations=[1, 1], group=1, kernel_shape=kernel, pads=[pad] * 4, strides=[stride] * 2,
        )  # fmt: skip

    def layer_norm(self, tensor, name):
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", tensor, scale, shift, axis=-1, epsilon=1e-6)

    def gelu(self, tensor, approximate="none"):
        if self.opset >= 20:
            return self.op("Gelu", tensor, approximate=approximate)
        if approximate == "none":
            bell = self.op("Erf", self.op("Div", tensor, np.sqrt(2.0)))
        else:
            cubic = self.op("Mul", 0.044715, self.op("Pow", tensor, 3.0))
            bell = self.op("Tanh", self.op("Mul", np.sqrt(2.0 / np.pi), self.op("Add", tensor, cubic)))
        return self.op("Mul", self.op("Mul", 0.5, tensor), self.op("Add", 1.0, bell))

    def loop(self, trips, carried, body, kinds, counted=True):
        """A loop: body(graph, round, *carried) returns the next values.

        Counted as TorchScript writes it: the file states the trips, the condition is constantly true. Otherwise as
        torch.export writes it: the file states no trips, the condition compares the round.
        """
        inner = Graph(self.weights, self.opset, self.style, outer=self)
        going = self.constant(True)
        number = next(self.top.numbers)
        names = [f"round_{number}", f"going_{number}", *(f"carried_{number}_{i}" for i in range(len(carried)))]
        results = body(inner, names[0], *names[2:])
        again = inner.op("Identity", going)
        if not counted:
            again = inner.op("Less", inner.op("Add", names[0], np.int64(1)), trips)
        ends = [again, *(inner.op("Identity", result) for result in results)]
        values = [helper.make_tensor_value_info(names[0], INT64, []), helper.make_tensor_value_info(names[1], BOOL, [])]
        values += [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names[2:], kinds, strict=True)]
        given = [helper.make_tensor_value_info(e, k, None) for e, k in zip(ends, [BOOL, *kinds], strict=True)]
        return self.op(
            "Loop",
            trips if counted else "",
            going,
            *carried,
            outputs=len(carried),
            body=helper.make_graph(inner.nodes, "body", values, given),
        )

    def branch(self, condition, then, otherwise, kind):
        """An If of two functions of the graph; what they use comes from around them."""
        graphs = []
        for function in (then, otherwise):
            inner = Graph(self.weights, self.opset, self.style, outer=self)
            end = inner.op("Identity", function(inner))
            given = [helper.make_tensor_value_info(end, kind, None)]
            graphs.append(helper.make_graph(inner.nodes, "branch", [], given))
        return self.op("If", condition, then_branch=graphs[0], else_branch=graphs[1])

    def model(self, inputs, outputs):
        """The file: inputs and outputs are name -> (type, shape); outputs are values of this graph."""
        ends = [helper.make_node("Identity", [value], [name]) for name, (value, _, _) in outputs.items()]
        graph = helper.make_graph(
            [*self.nodes, *ends],
            "main_graph",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self.initializers.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return model.SerializeToString()
