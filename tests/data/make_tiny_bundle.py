"""Make the models and the bundle of the device's tests: `python tests/data/make_tiny_bundle.py`.

`tiny-bundle` is a tiny network that has learned drawn items, quantized the real way, and
`tiny-fp32.tflite` its unquantized form; like bundles of earlier versions they have no activation
map. `bright.tflite` has a known one (`tests.support.bright`). `odd-models` are models that a device
must refuse. So the device's tests need no TensorFlow. Make all anew when the keys of the manifest
change.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

from convert.quantize import ConversionOptions, quantize
from tests.support.bright import BRIGHT, made_bright
from tests.support.drawn import draw_data
from tests.support.odd_models import made_maps, made_models, model_path
from tests.support.training import train_tiny, write_fp32, write_run

MOST_BYTES = 300_000


def make_odd_models() -> None:
    """Make the models that a device must refuse."""
    (HERE / "odd-models").mkdir(exist_ok=True)
    for name, content in (made_models() | made_maps()).items():
        model_path(name).write_bytes(content)


def main() -> None:
    """Draw, train, quantize, and put the results beside this file."""
    bundle = HERE / "tiny-bundle"
    with tempfile.TemporaryDirectory() as folder:
        # Relative names: the bundle tells them, and they must say nothing of this machine.
        os.chdir(folder)
        data, run, out = Path("drawn"), Path("tiny"), Path("tiny-bundle")
        draw_data(data)
        run.mkdir()
        write_run(run, train_tiny(data), data)
        options = ConversionOptions(run, (data,), out, calibration=40, activation_map=False)
        outcome = quantize(options)
        assert outcome.chosen.failed == ()
        write_fp32(run, HERE / "tiny-fp32.tflite", with_map=False)
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.copytree(out, bundle)
    size = sum(file.stat().st_size for file in bundle.iterdir())
    print(f"{bundle}: {size:,} bytes")
    assert size < MOST_BYTES


if __name__ == "__main__":
    make_odd_models()
    BRIGHT.write_bytes(made_bright())
    main()
