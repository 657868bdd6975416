import keras
import tensorflow as tf

from convert.tflite.multiplications import count_multiplications


def test_each_filter_is_counted_once_per_place_that_it_is_applied_to():
    given = keras.Input((12, 10, 3), batch_size=1)
    strided = keras.layers.Conv2D(8, 3, strides=2, padding="same")(given)  # 6 x 5 x 8
    depthwise = keras.layers.DepthwiseConv2D(3, padding="valid")(strided)  # 4 x 3 x 8
    dense = keras.layers.Dense(7)(keras.layers.Flatten()(depthwise))
    content = tf.lite.TFLiteConverter.from_keras_model(keras.Model(given, dense)).convert()
    convolved, each_channel, whole = 6 * 5 * 8 * 3 * 3 * 3, 4 * 3 * 8 * 3 * 3, 4 * 3 * 8 * 7
    assert count_multiplications(content) == convolved + each_channel + whole
