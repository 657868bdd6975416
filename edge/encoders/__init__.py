"""Where the belt is: pulses, the camera, checked against each other."""
