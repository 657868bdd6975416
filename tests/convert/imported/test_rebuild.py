"""Classifiers rebuilt for the device's input, and those that cannot be."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from convert.imported.pipeline import Pipeline, load_original
from convert.imported.rebuild import rebuild
from convert.imported.stored import read_stored
from edge.errors import BadInput
from edge.inference.preprocess import float_input

SIZE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def picture(*, channels=3, side=SIZE):
    return keras.Input((side, side, channels))


def classifier(*first, padding="valid", head=None, image=None):
    """A small classifier behind `first`, layers or functions of a tensor."""
    keras.utils.set_random_seed(5)
    image = picture() if image is None else image
    x = image
    for each in first:
        x = each(x)
    x = layers.Conv2D(8, 3, padding=padding, activation="relu", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, (head or layers.Dense(4, activation="softmax"))(x))


def difference(model, preprocessing: str, rebuilt) -> float:
    expected = Pipeline(model, preprocessing, rebuilt.gives_logits).outputs(PIXELS)
    if rebuilt.gives_logits:
        expected = np.asarray(keras.ops.softmax(expected))
    return float(np.abs(rebuilt.model.predict_on_batch(float_input(PIXELS)) - expected).max())


@pytest.mark.parametrize("preprocessing", ["caffe", "torch", "tf", "unit", "raw"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_preprocessing_is_folded_where_that_is_exact(preprocessing: str, padding: str) -> None:
    model = classifier(padding=padding)
    rebuilt = rebuild(model, None, preprocessing)
    assert rebuilt.folded == (padding == "valid")  # zeros that are padded would change color
    assert difference(model, preprocessing, rebuilt) < 1e-5
    names = {layer.name for layer in rebuilt.model.layers}
    assert {"embedding", "logits", "probabilities"} <= names
    assert ("preprocessing" in names) != rebuilt.folded


@pytest.mark.parametrize(
    "first",
    [
        (layers.Rescaling(1 / 127.5, offset=-1), layers.RandomFlip(), layers.RandomRotation(0.1)),
        (layers.Normalization(mean=(120, 110, 100), variance=(60, 50, 55)),),
        (keras.applications.resnet.preprocess_input,),
        (keras.applications.mobilenet_v2.preprocess_input,),
        (keras.applications.densenet.preprocess_input,),
    ],
    ids=["rescaling", "normalization", "caffe", "tf", "torch"],
)
def test_preprocessing_within_the_model_is_folded_too(first, tmp_path: Path) -> None:
    classifier(*first).save(tmp_path / "model.keras")
    stored = read_stored(tmp_path / "model.keras", Path("model.keras"))
    model = load_original(tmp_path / "model.keras", stored, Path("model.keras"))
    rebuilt = rebuild(model, None, "raw")
    assert rebuilt.folded and difference(model, "raw", rebuilt) < 1e-5


def test_models_within_models_become_one_flat_graph() -> None:
    base = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), alpha=0.35, pooling="avg"
    )
    image = picture()
    head = keras.Sequential([layers.Dropout(0.3), layers.Dense(4), layers.Softmax()])
    model = keras.Model(image, head(base(image, training=False)))
    rebuilt = rebuild(model, None, "tf")
    assert not any(isinstance(layer, keras.Model) for layer in rebuilt.model.layers)
    embedding = rebuilt.model.get_layer("embedding")
    assert isinstance(embedding, layers.GlobalAveragePooling2D)
    assert embedding.output.shape == (None, 1280)
    assert difference(model, "tf", rebuilt) < 1e-5


def test_a_model_of_any_size_takes_the_one_asked_for() -> None:
    model = classifier(image=picture(side=None))
    assert rebuild(model, SIZE, "unit").model.input_shape == (None, SIZE, SIZE, 3)
    with pytest.raises(BadInput, match="any size; choose one with --image-size"):
        rebuild(model, None, "unit")


def test_a_model_without_softmax_gives_logits() -> None:
    model = classifier(head=layers.Dense(4))
    rebuilt = rebuild(model, None, "unit")
    assert rebuilt.gives_logits and difference(model, "unit", rebuilt) < 1e-5


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        classifier(head=layers.Dense(4, activation="softmax", dtype="float32")).save(
            tmp_path / "model.keras"
        )
    finally:
        keras.config.set_dtype_policy("float32")
    stored = read_stored(tmp_path / "model.keras", Path("model.keras"))
    model = load_original(tmp_path / "model.keras", stored, Path("model.keras"))
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert difference(model, "unit", rebuild(model, None, "unit")) < 1e-5


def two_inputs():
    one, other = picture(), picture()
    return keras.Model([one, other], classifier()(layers.Add()([one, other])))


def no_embedding():
    image = picture()
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    return keras.Model(image, layers.Softmax()(x))


def of_pixels():
    image = picture()
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: classifier(head=layers.Dense(4, activation="sigmoid")), "ends with sigmoid"),
        (lambda: classifier(head=layers.Dense(1)), "has 1 output"),
        (two_inputs, "2 inputs and 1 outputs"),
        (no_embedding, "does not end with a Dense layer, so that it has no embedding"),
        (of_pixels, "sees the pixels themselves"),
        (lambda: classifier(image=picture(side=16)), "takes 16 px; 32 to 512 are possible"),
        (lambda: classifier(image=picture(channels=1)), "no picture of 3 channels"),
        (lambda: classifier(image=picture(channels=4)), "no picture of 3 channels"),
        (lambda: classifier(image=keras.Input((32, 48, 3))), "48 x 32 px, which is no square"),
        (lambda: keras.Sequential([layers.Flatten(), layers.Dense(4)]), "has no input shape"),
    ],
)
def test_what_is_no_classifier_of_one_picture_is_refused_in_a_line(make, line: str) -> None:
    with pytest.raises(BadInput, match=line) as error:
        rebuild(make(), None, "unit")
    assert "\n" not in str(error.value)
