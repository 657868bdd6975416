"""MQTT, Modbus, and the thread that keeps each output at work."""
