"""Odd, broken and hostile npz files: refused with a reason, whatever they claim to hold."""

import io
import random
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from edge.arrays import HEADER, LARGEST_BYTES, read_arrays

SHAPE = (3, 4)


def header(descr: str = "'|i1'", order: str = "False", shape: str = "(3, 4)") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    padded = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded


def archive(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", how) as file:
        for name, content in members:
            file.writestr(name, content)
    return packed.getvalue()


def array(content: bytes) -> bytes:
    return archive(("a.npy", content))


def saved(**arrays: np.ndarray) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def encrypted() -> bytes:
    content = bytearray(array(header() + bytes(12)))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    return bytes(content)


def bomb(megabytes: int) -> bytes:
    """Zeros by the megabyte, of which the archive says what it likes."""
    return array(header(shape=f"({megabytes << 20},)") + bytes(megabytes << 20))


def lying_bomb() -> bytes:
    """What unpacks to far more than the archive says of it."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packed.compress(header() + bytes(200 << 20)) + packed.flush()
    content = bytearray(archive(("a.npy", bytes(len(stream))), how=zipfile.ZIP_STORED))
    content[content.index(bytes(200)) :][: len(stream)] = stream
    for magic, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(magic) + method] = 8
    return bytes(content)


def many_members() -> bytes:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    directory = entry * 65_000
    end = struct.pack("<HHHHIIH", 0, 0, 65_000, 65_000, len(directory), 0, 0)
    return directory + b"PK\x05\x06" + end


def zip64() -> bytes:
    content = array(header() + bytes(12))
    at = content.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(16)
    return content[:at] + locator + content[at:]


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return archive(("a.npy", header() + bytes(12)), ("a.npy", header() + bytes(12)))


ODD = {
    "empty": b"",
    "no archive": b"PK\x03\x04 and no more",
    "half an archive": saved(a=np.zeros(SHAPE))[:-30],
    "Python objects": saved(a=np.array([{"a": 1}], dtype=object)),
    "a pickle called an array": array(b"cos\nsystem\n(S'true'\ntR."),
    "a record type": saved(a=np.zeros(3, [("x", "<f4"), ("y", "<i8")])),
    "complex numbers": saved(a=np.zeros(3, complex)),
    "text": saved(a=np.array(["a", "bc"])),
    "dates": saved(a=np.zeros(3, "M8[s]")),
    "big-endian numbers": saved(a=np.zeros(3, ">f4")),
    "long doubles": saved(a=np.zeros(3, np.longdouble)),
    "half of the data": array(header() + bytes(6)),
    "more data than declared": array(header() + bytes(13)),
    "an enormous shape": array(header(shape="(1000000000, 1000000000)") + bytes(12)),
    "a shape of ten digits": array(header(shape="(9999999999,)") + bytes(12)),
    "a negative shape": array(header(shape="(-3, -4)") + bytes(12)),
    "a shape of many sides": array(header(shape="(1, 1, 1, 1, 1, 1, 12)") + bytes(12)),
    "a shape of code": array(header(shape="(__import__('os'),)") + bytes(12)),
    "nested brackets": array(header(shape="(" * 60 + ")" * 60) + bytes(12)),
    "a type of code": array(header(descr="[('x', 'O')]") + bytes(12)),
    "a number of one byte as float": array(header(descr="'<f1'") + bytes(12)),
    "another version": array(b"\x93NUMPY\x03\x00" + header()[8:] + bytes(12)),
    "encrypted": encrypted(),
    "a bomb": bomb(128),
    "a bomb that says it is small": lying_bomb(),
    "65,000 members": many_members(),
    "zip64": zip64(),
    "a name twice": twice(),
    "packed by LZMA": archive(("a.npy", header() + bytes(12)), how=zipfile.ZIP_LZMA),
    "a comment behind it": array(header() + bytes(12))[:-2] + b"\x05\x00hello",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_an_odd_file_is_refused_soon_and_without_much_memory(content: bytes) -> None:
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(ValueError, match=".") as refused:
            read_arrays(content, ("a",))
        assert time.process_time() - started < 5
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST_BYTES
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refused.value)


def test_what_numpy_writes_is_read_as_numpy_reads_it() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.int8, np.uint8, np.int16, np.int32, np.int64, np.float16, np.float32, float):
        for shape in ((), (5,), (3, 4), (2, 3, 4), (2, 3, 4, 3), (0, 4)):
            for order in ("C", "F"):
                a = np.asarray(rng.integers(0, 100, shape), dtype=dtype, order=order)
                for pack in (np.savez, np.savez_compressed):
                    packed = io.BytesIO()
                    pack(packed, a=a, b=a)
                    (read,) = read_arrays(packed.getvalue(), ("a", "c")).values()
                    assert read.dtype == a.dtype and np.array_equal(read, a)
                    read[...] = 0  # an array like any other


def test_the_files_of_the_shipped_bundle_are_read_as_numpy_reads_them() -> None:
    from edge.bundle.bundle import DEFAULT_BUNDLE

    for name in ("golden.npz", "unknown.npz"):
        with np.load(DEFAULT_BUNDLE / name) as arrays:
            read = read_arrays((DEFAULT_BUNDLE / name).read_bytes(), arrays.files)
            assert set(read) == set(arrays.files)
            assert all(np.array_equal(read[each], arrays[each]) for each in arrays.files)


def test_whatever_bytes_change_it_ends_in_an_array_or_a_reason() -> None:
    rng = random.Random(7)
    good = saved(a=np.arange(400, dtype=np.float32).reshape(20, 20), b=np.zeros(7, np.int8))
    plain = archive(("a.npy", header() + bytes(12)), how=zipfile.ZIP_STORED)
    deadline, ended = time.monotonic() + 3, 0
    for _ in range(20_000):
        content = bytearray(rng.choice((good, plain)))
        for _ in range(rng.choice((1, 1, 2, 8))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        if rng.random() < 0.1:
            del content[rng.randrange(len(content)) :]
        try:
            read = read_arrays(bytes(content), ("a", "b"))
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert sum(each.nbytes for each in read.values()) <= LARGEST_BYTES
        ended += 1
        if time.monotonic() > deadline:
            break
    assert ended > 200


def test_a_header_of_ours_is_no_matter_of_luck() -> None:
    assert HEADER.fullmatch(header()[10:]) and HEADER.fullmatch(header(shape="()")[10:])
    assert not HEADER.fullmatch(header(shape="(3, 4")[10:])
