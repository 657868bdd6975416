import pytest

from train.learning import precision
from train.learning.precision import choose_policy


@pytest.mark.parametrize(
    ("flags", "gpu", "policy"),
    [
        ("fpu avx2 avx512f avx512_bf16", False, "mixed_bfloat16"),
        ("fpu avx512f amx_bf16 amx_tile", False, "mixed_bfloat16"),
        ("fpu avx2 avx512f", False, "float32"),
        (None, False, "float32"),
        ("fpu avx512_bf16", True, "mixed_float16"),
    ],
)
def test_auto_is_16_bits_where_the_machine_is_fast_in_them(
    flags, gpu, policy, tmp_path, monkeypatch
):
    monkeypatch.setattr(precision, "CPU_FLAGS", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "on_gpu", lambda: gpu)
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert choose_policy("auto") == policy
    assert choose_policy("float32") == "float32"
    assert choose_policy("float16") == "mixed_float16"
