"""Whether the quantized model still answers as the float model does."""
