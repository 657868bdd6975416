"""Models that are no classifiers; tests/data/make_tiny_bundle.py makes the files."""

from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "odd-models"
OTHER_FORMS = (
    "flex",
    "two inputs",
    "three classes",
    "a long picture",
    "two pictures",
    "any picture",
    "no picture",
    "whole numbers in",
    "whole numbers out",
    "one output",
    "flat outputs",
)
"""Models with other inputs or outputs than a classifier's."""
ODD_MAPS = ("a map of other classes", "a huge map", "a flat map")
"""Models with another activation map than a classifier's."""
IMAGE = (1, 48, 48, 3)


def converted(answer: Callable, *shapes: tuple, dtype: str = "uint8", flex: bool = False) -> bytes:
    """A model by TensorFlow's converter, of inputs of these shapes."""
    import tensorflow as tf

    module = tf.Module()
    inputs = [tf.TensorSpec(shape, dtype, name=f"in{n}") for n, shape in enumerate(shapes)]
    module.answer = tf.function(answer, input_signature=inputs)
    made = module.answer.get_concrete_function()
    convert = tf.lite.TFLiteConverter.from_concrete_functions([made], module)
    if flex:
        kinds = tf.lite.OpsSet
        convert.target_spec.supported_ops = [kinds.TFLITE_BUILTINS, kinds.SELECT_TF_OPS]
    return convert.convert()


def outputs(pixels, classes: int = 4, turned: Callable = lambda value: value) -> dict:
    import tensorflow as tf

    value = turned(tf.reduce_mean(tf.cast(pixels, tf.float32)))
    return {"logits": tf.ones((1, classes)) * value, "embedding": tf.ones((1, 96)) * value}


def endless_model() -> bytes:
    import tensorflow as tf

    def turned(value):
        (value,) = tf.while_loop(lambda x: x > -1.0, lambda x: [tf.abs(x) * 0.5 + 1.0], [value])
        return value

    return converted(lambda image: outputs(image, turned=turned), IMAGE)


def enormous_model() -> bytes:
    import tensorflow as tf

    def turned(value):
        spread = tf.broadcast_to(tf.reshape(value, (1, 1)), (60_000, 60_000))
        return tf.reduce_max(tf.nn.relu(spread))

    return converted(lambda image: outputs(image, turned=turned), IMAGE)


def numberless_model() -> bytes:
    import tensorflow as tf

    def turned(value):
        return tf.math.log(-1.0 - tf.abs(value))

    return converted(lambda image: outputs(image, turned=turned), IMAGE)


def changed_outputs(change: Callable) -> Callable:
    return lambda image: {name: change(each) for name, each in outputs(image).items()}


def made_models() -> dict[str, bytes]:
    """Make each model by TensorFlow's converter."""
    import tensorflow as tf

    def determinant(value):
        return tf.linalg.det(tf.eye(3) * value)

    def both(image, more):
        return outputs(tf.cast(image, tf.float32) + tf.cast(more, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3), tf.float32)])
    def mean(image):
        return {"mean": tf.reduce_mean(image)}

    only_mean = tf.lite.TFLiteConverter.from_concrete_functions([mean.get_concrete_function()])
    return {
        "endless": endless_model(),
        "enormous": enormous_model(),
        "numberless": numberless_model(),
        "mean": only_mean.convert(),
        "flex": converted(lambda image: outputs(image, turned=determinant), IMAGE, flex=True),
        "two inputs": converted(both, IMAGE, IMAGE),
        "three classes": converted(lambda image: outputs(image, 3), IMAGE),
        "a long picture": converted(outputs, (1, 48, 96, 3)),
        "two pictures": converted(outputs, (2, 48, 48, 3)),
        "any picture": converted(outputs, (1, None, None, 3)),
        "no picture": converted(outputs, (48,), dtype="float32"),
        "whole numbers in": converted(outputs, IMAGE, dtype="int32"),
        "whole numbers out": converted(
            changed_outputs(lambda each: tf.cast(each, tf.int64)), IMAGE
        ),
        "one output": converted(lambda image: {"logits": outputs(image)["logits"]}, IMAGE),
        "flat outputs": converted(changed_outputs(lambda each: tf.reshape(each, (-1,))), IMAGE),
    }


def made_maps() -> dict[str, bytes]:
    """Make the models with an odd activation map by TensorFlow's converter."""
    import tensorflow as tf

    def model(shape: tuple[int, ...], turned: Callable = lambda value: value) -> bytes:
        def answer(image):
            value = turned(tf.reduce_mean(tf.cast(image, tf.float32)))
            return outputs(image) | {"activation_map": tf.ones(shape) * value}

        return converted(answer, IMAGE)

    return {
        "a map of other classes": model((1, 5, 5, 3)),
        "a huge map": model((1, 65, 5, 4)),
        "a flat map": model((1, 4)),
        "a numberless map": model((1, 5, 5, 4), lambda x: tf.math.log(-1.0 - tf.abs(x))),
    }


def model_path(name: str) -> Path:
    """Where a model lies."""
    return FOLDER / f"{name.replace(' ', '-')}.tflite"


def odd_model(name: str) -> bytes:
    """A model that was made earlier."""
    return model_path(name).read_bytes()
