"""Writing an ONNX file so that the same weights give the same bytes, whatever the version of onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinyvmaf.errors import ModelError

OPSET = 17
IR_VERSION = 8

Shape = Sequence[int | str]


class Graph:
    """A graph under construction: constants and nodes in the order in which they are added.

    Values are named by the caller or numbered, so the order fixes every byte of the file.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add an initialiser, unless the name is there already.

        Args:
            name: Its name.
            value: Its numbers.
            dtype: Their type in the file.

        Returns:
            The name.
        """
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.array(value, dtype, order="C"), name)
        return name

    def half(self, name: str, value: npt.ArrayLike) -> str:
        """Add an initialiser that is stored as float16 and computed with as float32.

        Args:
            name: Its name.
            value: Its numbers, which are rounded to float16.

        Returns:
            The name of the float32 value.
        """
        if name not in self._constants:
            self.constant(name, value, np.float16)
            self.add("Cast", name, name=f"{name}.float32", to=TensorProto.FLOAT)
        return f"{name}.float32"

    def whole(self, name: str, value: npt.NDArray[np.int8], step: npt.NDArray[np.float16]) -> str:
        """Add an initialiser that is stored as int8 and computed with as float32.

        Args:
            name: Its name.
            value: Its numbers in steps.
            step: What a step stands for; of a shape that spreads to that of `value`.

        Returns:
            The name of the float32 value.
        """
        if name not in self._constants:
            self.constant(name, value, np.int8)
            steps = self.half(f"{name}.step", step)
            self.add("Mul", self.add("Cast", name, to=TensorProto.FLOAT), steps, name=f"{name}.float32")
        return f"{name}.float32"

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node of one output.

        Args:
            operator: Its type.
            *inputs: Names of its inputs.
            name: Of node and output; numbered by default.
            **attributes: As ONNX names them.

        Returns:
            The name of the output.
        """
        output = name or f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def file(self, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], description: str) -> bytes:
        """Close the graph.

        Args:
            name: Of the graph.
            inputs: Name to shape; all are float32.
            outputs: The same for the outputs, which are names of values in the graph.
            description: Goes into the file.

        Returns:
            The ONNX file.
        """
        graph = helper.make_graph(
            self._nodes, name, _ports(inputs), _ports(outputs), initializer=list(self._constants.values())
        )
        model = helper.make_model(
            graph,
            producer_name="tinyvmaf.models.convert",
            producer_version="1",
            doc_string=description,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _ports(shapes: Mapping[str, Shape]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]


def weight(arrays: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Look a weight up and hold it against the architecture.

    Args:
        arrays: What the weight file holds.
        name: The weight's name there.
        shape: The shape that the architecture asks for.

    Returns:
        The weight.

    Raises:
        ModelError: It is missing or has another shape.
    """
    found = arrays.get(name)
    if found is None or found.shape != shape:
        actual = "missing" if found is None else f"of shape {found.shape}"
        raise ModelError(f"The weight {name} must have shape {shape}, but is {actual}.", "Fetch the weights again.")
    return found
