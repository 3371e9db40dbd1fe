"""The operators that a model may be made of, each with the reason why it is here.

They compute numbers from numbers: none of them reads a file, keeps state between runs, draws random numbers or repeats
work an unknown number of times. What is here beyond convolutional networks is what exporters really write for three
classes of model: MUSIQ (image quality transformer), RAFT-Small (optical flow in a loop) and SmolVLM (language model
with eyes).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


ALLOWED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv",
            "ConvTranspose", "Div", "Dropout", "Elu", "Erf", "Exp", "Flatten", "Gelu", "Gemm", "GlobalAveragePool",
            "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization",
            "LeakyRelu", "Log", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mul", "Neg", "PRelu", "Pad", "Pow",
            "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Resize", "Selu",
            "Sigmoid", "Softmax", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh",
        ),
        "networks are built of it",
    ),
    **dict.fromkeys(
        (
            "ConstantOfShape", "Expand", "Gather", "Reshape", "Shape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
        ),
        "exporters move data and compute shapes with it",
    ),
    "And": "MUSIQ, SmolVLM: product of two attention masks",
    "ArgMax": "SmolVLM: the next token of greedy decoding",
    "BitShift": "integer arithmetic of fixed-point exports",
    "CastLike": "MUSIQ: left over where an exporter is told not to fold",
    "Ceil": "RAFT: scripted loops state their trip count as Ceil of a constant",
    "ConvInteger": "dynamically quantised int8 models",
    "Cos": "SmolVLM: rotary positions",
    "CumSum": "SmolVLM: positions in packed sequences",
    "DepthToSpace": "FastDVDnet: pixel shuffles",
    "DequantizeLinear": "int8 models",
    "DynamicQuantizeLinear": "dynamically quantised int8 models",
    "Equal": "MUSIQ, SmolVLM: masks, and the idiom of Expand with -1",
    "Floor": "size arithmetic of exported scaling",
    "GatherElements": "SmolVLM: greedy decoding into a fixed buffer",
    "GatherND": "look-ups along several axes",
    "Greater": "RAFT, SmolVLM: conditions and patch masks",
    "GreaterOrEqual": "SmolVLM: buckets of patch positions",
    "GridSample": "RAFT: look-up in the correlation volume",
    "If": "branches of exported control flow; both are checked",
    "IsNaN": "SmolVLM: rows whose every key is masked",
    "Less": "SmolVLM: buckets of patch positions, loop conditions",
    "LessOrEqual": "SmolVLM: causal mask",
    "Loop": "RAFT: iterative refinement; its trip count is a constant of the file",
    "MatMulInteger": "dynamically quantised int8 models",
    "Mod": "SmolVLM: index arithmetic of pixel masks",
    "NonZero": "SmolVLM: places of image tokens",
    "Not": "SmolVLM: inverted masks",
    "Or": "union of two masks",
    "QuantizeLinear": "int8 models",
    "Range": "MUSIQ, RAFT, SmolVLM: coordinates and positions",
    "Round": "size arithmetic of exported scaling",
    "ScatterElements": "SmolVLM: greedy decoding into a fixed buffer",
    "ScatterND": "indexed assignment, as exporters write x[i] = y",
    "Sign": "signed square roots of normalised features",
    "Sin": "SmolVLM: rotary positions",
    "Size": "exporters compute shapes with it",
    "Split": "RAFT: gates and context, x and y of a grid",
    "Tile": "MUSIQ, RAFT: class token and coordinates per image of a batch",
    "Trilu": "SmolVLM: causal mask of older exporters",
    "Where": "MUSIQ, SmolVLM: masked attention",
}  # fmt: skip
"""Operator -> why it is allowed. Not here, and so refused: Scan, sequences, optional values, random numbers, text,
decoding of images, every operator of another domain."""
