"""The Keras model as TFLite, float and quantized."""
