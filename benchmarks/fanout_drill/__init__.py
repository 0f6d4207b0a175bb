"""The parts of the fan-out benchmark."""
