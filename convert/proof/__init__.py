"""The proof that a quantized model predicts what the float model predicts."""
