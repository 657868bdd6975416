"""From pixels to the model's answers: preprocessing, the runtime, the out-of-distribution score."""
