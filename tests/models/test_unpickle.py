"""Weight files are read by a machine of ours: what the standard pickler writes comes back, and nothing is ever run."""

import builtins
import collections
import copyreg
import io
import os
import pickle
import pickletools
import random
import struct
import sys
import time
import types
import zipfile

import numpy as np
import pytest

from tinyvmaf.errors import ModelError
from tinyvmaf.models import unpickle, weights

SHAPES = {"conv.weight": (2, 3, 1, 1), "conv.bias": (2,), "scale": (), "none": (0, 4)}


class FloatStorage:
    """Stands for torch.FloatStorage in the files that the tests write."""


class HalfStorage(FloatStorage):
    pass


class LongStorage(FloatStorage):
    pass


class Tensor:
    """Pickles as PyTorch's tensors do: a call of _rebuild_tensor_v2 on a storage that is named, not written."""

    def __init__(self, array, key="0", offset=0, size=None, kind=FloatStorage):
        self.key, self.kind, self.count = key, kind, array.size + offset
        size = array.shape if size is None else size
        self.arguments = (offset, size, _strides(size))

    def __reduce__(self):
        storage = Named(("storage", self.kind, self.key, "cpu", self.count))
        return (_rebuild_tensor_v2, (storage, *self.arguments, False, collections.OrderedDict()))


class Named:
    def __init__(self, identity):
        self.identity = identity


def _rebuild_tensor_v2():
    raise AssertionError("nothing that a file names is called")


def _strides(shape):
    return tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Modules of PyTorch's names, so that the standard pickler writes them into files."""
    module, inner = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for thing in (FloatStorage, HalfStorage, LongStorage):
        monkeypatch.setattr(thing, "__module__", "torch")
        setattr(module, thing.__name__, thing)
    monkeypatch.setattr(_rebuild_tensor_v2, "__module__", "torch._utils")
    module._utils, inner._rebuild_tensor_v2 = inner, _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", inner)


class Pickler(pickle.Pickler):
    plain = False

    def persistent_id(self, thing):
        if not isinstance(thing, Named):
            return None
        return (*thing.identity, None) if self.plain else thing.identity


def dump(content, plain=False):
    stream = io.BytesIO()
    pickler = Pickler(stream, 2)
    pickler.plain = plain
    pickler.dump(content)
    return stream.getvalue()


def archive(content, storages, folder="archive", extra=()):
    """A file of PyTorch's format of 2020."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr(f"{folder}/data.pkl", content if isinstance(content, bytes) else dump(content))
        for key, data in storages.items():
            target.writestr(f"{folder}/data/{key}", data)
        for name, data in extra:
            target.writestr(name, data)
    return stream.getvalue()


def plain(content, storages, magic=0x1950A86A20F9469CFC6C, system=None, keys=None):
    """A file of the format before."""
    system = {"protocol_version": 1001, "little_endian": True} if system is None else system
    parts = [magic, 1001, system, content, list(storages) if keys is None else keys]
    data = b"".join(dump(part, plain=True) for part in parts)
    return data + b"".join(struct.pack("<q", len(numbers) // 4) + numbers for numbers in storages.values())


def state():
    """A state dictionary, its storages and what should come of it."""
    arrays = {name: np.arange(np.prod(s), dtype="<f4").reshape(s) + i for i, (name, s) in enumerate(SHAPES.items())}
    content = collections.OrderedDict((name, Tensor(a, str(i))) for i, (name, a) in enumerate(arrays.items()))
    content._metadata = collections.OrderedDict(version=1)
    return content, {str(i): a.tobytes() for i, a in enumerate(arrays.values())}, arrays


def same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert not found[name].flags.writeable


@pytest.mark.parametrize("write", [archive, plain])
def test_tensors_come_back_from_both_formats(write):
    content, storages, arrays = state()
    same(weights.torch_arrays(write(content, storages)), arrays)


def test_tensors_share_storages_and_have_types():
    numbers = np.arange(6, dtype="<f4")
    content = {
        "a": Tensor(numbers[:4].reshape(2, 2), "0"),
        "b": Tensor(numbers[:0], "0", offset=4, size=(0, 3)),
        "h": Tensor(np.ones(3, "<f2"), "1", kind=HalfStorage),
        "l": Tensor(np.array(7, "<i8"), "2", kind=LongStorage),
    }
    data = archive(content, {"0": numbers[:4].tobytes(), "1": np.ones(3, "<f2").tobytes(), "2": struct.pack("<q", 7)})
    found = weights.torch_arrays(data)
    np.testing.assert_array_equal(found["a"], numbers[:4].reshape(2, 2))
    assert (found["b"].shape, found["h"].dtype, int(found["l"])) == ((0, 3), np.float16, 7)


def test_numpy_arrays_come_back_by_their_path():
    tree = {"net": {"conv": {"kernel": np.arange(6, dtype="f4").reshape(1, 2, 3), "bias": np.ones(3, "f4")}}}
    same(weights.numpy_arrays(pickle.dumps(tree, 3)), {
        "net/conv/kernel": tree["net"]["conv"]["kernel"], "net/conv/bias": tree["net"]["conv"]["bias"],
    })  # fmt: skip


def test_older_numpy_names_are_the_same():
    data = pickle.dumps({"a": np.ones(2, "f4")}, 3).replace(b"numpy._core.", b"numpy.core.")
    same(weights.numpy_arrays(data), {"a": np.ones(2, "f4")})


def test_empty_and_two_item_containers_come_back():
    content, storages, arrays = state()
    content = collections.OrderedDict([("conv.weight", content["conv.weight"])])
    same(weights.torch_arrays(archive(content, {"0": storages["0"]})), {"conv.weight": arrays["conv.weight"]})
    assert weights.torch_arrays(archive({}, {})) == {}


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


class Plain:
    pass


HOSTILE = [
    (os.system, "touch {}"),
    (builtins.eval, "open({!r}, 'w')"),
    (builtins.exec, "open({!r}, 'w')"),
    (os.mkdir, "{}"),
    (getattr, "text", "upper"),
    (pickle.loads, b"cos\nsystem\n."),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("call", HOSTILE, ids=lambda call: call[0].__name__)
def test_nothing_that_a_file_names_is_called(call, protocol, tmp_path):
    target = tmp_path / "made"
    words = [word.format(str(target)) if isinstance(word, str) else word for word in call[1:]]
    for content in (
        Calls(call[0], *words),
        {"a": Calls(call[0], *words)},
        Calls(dict, [("a", Calls(call[0], *words))]),
    ):
        data = pickle.dumps(content, protocol)
        for read in (weights.numpy_arrays, weights.torch_arrays, lambda d: weights.torch_arrays(archive(d, {}))):
            with pytest.raises(ModelError, match="refused"):
                read(data)
    assert not target.exists()


def test_a_refused_name_is_said():
    with pytest.raises(ModelError, match=r"names posix\.system, which is not accepted"):
        weights.numpy_arrays(pickle.dumps(os.system, 2))


def test_registered_extensions_are_no_way_in():
    copyreg.add_extension("posix", "system", 200)
    try:
        data = pickle.dumps(os.system, 2)
        assert b"\x82" in data
        with pytest.raises(ModelError, match=r"instruction b'\\x82' at byte 2"):
            weights.numpy_arrays(data)
    finally:
        copyreg.remove_extension("posix", "system", 200)


ACCEPTED = {code.decode("latin-1") for code in unpickle._STEPS} | {"."}


@pytest.mark.parametrize("code", [op.code for op in pickletools.opcodes if op.code not in ACCEPTED])
def test_every_other_instruction_is_refused(code):
    with pytest.raises(ModelError, match="is not accepted"):
        unpickle.Machine(b"\x80\x03" + code.encode("latin-1") + b"os\nsystem\n.").run()


G = b"ctorch._utils\n_rebuild_tensor_v2\n"
D = b"ccollections\nOrderedDict\n"
S = b"ctorch\nFloatStorage\n"
ND = b"cnumpy\nndarray\n"
AR = b"cnumpy.core.multiarray\n_reconstruct\n"
DT = b"cnumpy\ndtype\n"
F4 = DT + b"U\x02f4\x85R(K\x03U\x01<tb"
EMPTY = AR + ND + b"\x85R"


def named(kind=S, key=b"U\x010", count=b"K\x02", word=b"U\x07storage", rest=b""):
    return b"(" + word + kind + key + b"U\x03cpu" + count + rest + b"tQ"


def tensor(storage, offset=b"K\x00", size=b"K\x02\x85", stride=b"K\x01\x85"):
    return G + b"(" + storage + offset + size + stride + b"tR"


BROKEN = {
    "empty": b"",
    "empty stack": b".",
    "no end": b"\x80\x02N",
    "no bytes for a number": b"J\x00",
    "bytes beyond the end": b"B\xff\xff\xff\xffabc.",
    "text beyond the end": b"X\xff\xff\xff\x7fabc.",
    "text that is no UTF-8": b"U\x01\xff.",
    "pop below a mark": b"N(\x85.",
    "no mark": b"t.",
    "recall of nothing": b"h\x07.",
    "items without a pair": b"}(Nu.",
    "key that is no text": b"}NNs.",
    "items of a list": b"]U\x01aNs.",
    "append to a dictionary": b"}(Ne.",
    "name without end": b"c" + b"a" * 300,
    "name of one line": b"ccollections\n",
    "call of a storage class": S + b")R.",
    "call of a number": b"K\x01)R.",
    "call with a number": D + b"K\x01R.",
    "call with too few": G + b")R.",
    "dictionary of a number": D + b"K\x01\x85R.",
    "dictionary of three": D + b"](](U\x01aNNee\x85R.",
    "state for a list": b"]Nb.",
    "array of a class": AR + S + b"\x85R.",
    "array of a number": AR + b"K\x01\x85R.",
    "array of doubles": DT + b"U\x02f8\x85R.",
    "array of objects": DT + b"U\x02O8\x85R.",
    "array state of four": EMPTY + b"(K\x01K\x01\x85" + F4 + b"\x89tb.",
    "array state without type": EMPTY + b"(K\x01K\x01\x85N\x89C\x04abcdtb.",
    "array in Fortran order": EMPTY + b"(K\x01K\x01\x85" + F4 + b"\x88C\x04abcdtb.",
    "array without bytes": EMPTY + b"(K\x01K\x01\x85" + F4 + b"\x89Ntb.",
    "big-endian": EMPTY + b"(K\x01K\x01\x85" + F4.replace(b"<", b">") + b"\x89C\x04abcdtb.",
    "type state of one": DT + b"U\x02f4\x85RK\x01\x85b.",
    "shape of a text": EMPTY + b"(K\x01U\x01a" + F4 + b"\x89C\x04abcdtb.",
    "shape of nine axes": EMPTY + b"(K\x01(" + b"K\x01" * 9 + b"t" + F4 + b"\x89C\x04abcdtb.",
    "shape of a truth": EMPTY + b"(K\x01\x88\x85" + F4 + b"\x89C\x04abcdtb.",
    "negative shape": tensor(named(), size=b"J\xff\xff\xff\xff\x85") + b".",
    "negative offset": tensor(named(), offset=b"J\xff\xff\xff\xff") + b".",
    "offset of a text": tensor(named(), offset=b"U\x01a") + b".",
    "tensor of no storage": tensor(b"N") + b".",
    "sparse strides": tensor(named(), stride=b"K\x02\x85") + b".",
    "strides of none": tensor(named(), stride=b"K\x00\x85") + b".",
    "another number of strides": tensor(named(), stride=b")") + b".",
    "persistent text": b"U\x01aQ.",
    "persistent module": named(word=b"U\x06module") + b".",
    "storage of a text's class": named(kind=b"U\x01a") + b".",
    "storage of another class": named(kind=ND) + b".",
    "storage of a number's key": named(key=b"K\x01") + b".",
    "storage of a negative size": named(count=b"J\xff\xff\xff\xff") + b".",
    "storage with a view": named(rest=b"K\x01") + b".",
    "storage of two sizes": named() + named(count=b"K\x03") + b".",
    "too many steps": b"N" * (unpickle.MAX_STEPS + 1),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_weight_file_is_refused(data):
    with pytest.raises(ModelError, match="The weight file is refused"):
        unpickle.Machine(data).run()


def test_every_instruction_does_what_the_standard_library_does():
    data = (
        b"\x80\x03(}]N)"
        + b"\x88\x89J\xfe\xff\xff\xffK\x05M\x00\x01\x8a\x02\x00\x80"
        + b"X\x02\x00\x00\x00\xc3\xa9U\x01aB\x01\x00\x00\x00xC\x01y"
        + b"q\x01r\x00\x01\x00\x00h\x01j\x00\x01\x00\x00K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87"
        + b"}U\x01kK\x01s](K\x01K\x02e}(U\x01aK\x01U\x01bK\x02ut."
    )
    assert unpickle.Machine(data).run() == pickle.loads(data)


def test_memo_numbers_cost_nothing():
    assert unpickle.Machine(b"Nr\xff\xff\xff\xffj\xff\xff\xff\xff.").run() is None


BAD_FILES = {
    "no pickle": archive({}, {}).replace(b"data.pkl", b"data.pkk"),
    "two pickles": archive({}, {}, extra=[("other/data.pkl", dump({}))]),
    "big-endian": archive({}, {}, extra=[("archive/byteorder", b"big")]),
    "cut zip": archive({}, {})[:-30],
    "a list": archive([], {}),
    "a number": archive({"a": 1}, {}),
    "no file": b"text",
}


@pytest.mark.parametrize("data", BAD_FILES.values(), ids=list(BAD_FILES))
def test_damaged_archives_are_refused(data):
    with pytest.raises(ModelError, match="The weight file is refused"):
        weights.torch_arrays(data)


@pytest.mark.parametrize("size", [0, 7, 9, 800])
@pytest.mark.parametrize("write", [archive, plain])
def test_storages_of_another_size_are_refused(write, size):
    content = {"a": Tensor(np.ones(2, "f4"))}
    with pytest.raises(ModelError, match="The weight file is refused"):
        weights.torch_arrays(write(content, {"0": bytes(size)}))


def test_missing_storages_are_refused():
    content = {"a": Tensor(np.ones(2, "f4"))}
    for data in (archive(content, {}), plain(content, {}), plain(content, {"0": bytes(8)})[:-4]):
        with pytest.raises(ModelError, match="The weight file is refused"):
            weights.torch_arrays(data)


@pytest.mark.parametrize(
    ("offset", "size"), [(1, (2,)), (0, (3,)), (2, (1,)), (0, (2**31, 2**31)), (2**31, (1,)), (0, (1, 1, 3))]
)
def test_tensors_stay_inside_their_storage(offset, size):
    tensor = Tensor(np.ones(2, "f4"), size=size)
    tensor.arguments = (offset, *tensor.arguments[1:])
    with pytest.raises(ModelError, match="are not in a storage of 2"):
        weights.torch_arrays(archive({"a": tensor}, {"0": bytes(8)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": 1},
        {"system": []},
        {"system": {"little_endian": False}},
        {"system": {}},
        {"keys": "0"},
        {"keys": [0]},
        {"keys": ["1"]},
    ],
    ids=str,
)
def test_older_files_of_another_kind_are_refused(changes):
    with pytest.raises(ModelError, match="The weight file is refused"):
        weights.torch_arrays(plain({"a": Tensor(np.ones(2, "f4"))}, {"0": bytes(8)}, **changes))


def test_large_files_and_storages_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(weights, "MAX_BYTES", 4000)
    for read in (weights.torch_arrays, weights.numpy_arrays):
        with pytest.raises(ModelError, match="4001 bytes, more than"):
            read(bytes(4001))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a/data.pkl", dump({"a": Tensor(np.ones(100_000, "f4"))}))
        target.writestr("a/data/0", bytes(400_000))
    assert len(stream.getvalue()) < 4000
    with pytest.raises(ModelError, match="400000 bytes of numbers"):
        weights.torch_arrays(stream.getvalue())


def test_dictionaries_have_limits(monkeypatch):
    deep = {"a": {"b": {"c": {"d": np.ones(1, "f4")}}}}
    with pytest.raises(ModelError, match="nested deeper than 4"):
        weights.numpy_arrays(pickle.dumps({"z": deep}, 3))
    endless: dict = {}
    endless["a"] = endless
    with pytest.raises(ModelError, match="nested deeper"):
        weights.numpy_arrays(pickle.dumps(endless, 3))
    inner: dict = {str(i): {} for i in range(3000)}
    wide = {str(i): inner for i in range(3000)}
    start = time.monotonic()
    with pytest.raises(ModelError, match="more than 4096 items"):
        weights.numpy_arrays(pickle.dumps(wide, 3))
    assert time.monotonic() - start < 5


def test_values_that_double_at_every_step_cost_nothing():
    """Each tuple holds the last one twice: to print or to hash the fortieth would take forever."""
    bomb = b")" + b"".join(b"q\x00h\x00\x86" for _ in range(40))
    system = dump({"little_endian": True})
    lines = [
        bomb + b".",
        b"}U\x01a" + bomb + b"s.",
        b"}" + bomb + b"U\x01as.",
        D + bomb + b"\x85R.",
        DT + bomb + b"\x85R.",
        AR + bomb + b"\x85R.",
        EMPTY + bomb + b"b.",
        bomb + b"Q.",
        named(key=bomb) + b".",
        tensor(named(), offset=bomb) + b".",
    ]
    start = time.monotonic()
    for line in lines:
        for data in (line, dump(0x1950A86A20F9469CFC6C) + dump(1001) + system + dump({}) + line):
            with pytest.raises(ModelError, match="The weight file is refused"):
                weights.torch_arrays(data)
            with pytest.raises(ModelError, match="The weight file is refused"):
                weights.numpy_arrays(line)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("write", [archive, plain, None], ids=["archive", "plain", "numpy"])
def test_changed_bytes_never_end_in_anything_but_arrays_or_a_refusal(write):
    content, storages, _ = state()
    good = write(content, storages) if write else pickle.dumps({"a": {"b": np.ones(3, "f4")}}, 3)
    read = weights.torch_arrays if write else weights.numpy_arrays
    chance = random.Random(7)
    refused = 0
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = read(bytes(data[: chance.randint(0, len(data))] if chance.random() < 0.2 else data))
            assert all(isinstance(array, np.ndarray) for array in found.values())
        except ModelError:
            refused += 1
    assert refused > 200
