"""Conversion of a Keras model to TFLite, float and quantized."""
