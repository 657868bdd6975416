import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import SystemClock
from edge.config import Config
from edge.encoders.checked_encoder import CheckedEncoder
from edge.encoders.encoder import TimedEncoder
from edge.encoders.gpio_encoder import GpioEncoder
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer
from edge.errors import BadInput
from edge.line_source import with_encoder

A, B = 5, 6
FASTEST = 1e9  # the test turns faster than any belt


def level(pin, high: bool) -> None:
    (pin.drive_high if high else pin.drive_low)()


def turned(pins, quarters: int, at: int = 0) -> int:
    """Turn by so many quarters of a pulse, backwards if negative, from a quarter on."""
    for _ in range(abs(quarters)):
        at = (at + (1 if quarters > 0 else -1)) % 4
        a, b = [(1, 1), (0, 1), (0, 0), (1, 0)][at]
        level(pins[0], a)
        level(pins[1], b)
    return at


def test_one_input_counts_every_period_and_times_it(factory):
    clock, pulses = SystemClock(), PulseEncoder(2.0, FASTEST)
    before = clock.now()
    encoder = GpioEncoder(A, None, pulses, clock)
    for _ in range(10):
        factory.pin(A).drive_low()
        factory.pin(A).drive_high()
    assert pulses.position_mm(clock.now() + 1) == pytest.approx(20, abs=2)
    assert before <= pulses.heard_at <= clock.now()
    encoder.release()
    factory.pin(A).drive_low()
    assert pulses.position_mm(clock.now() + 1) == pytest.approx(20, abs=2)


@given(st.lists(st.integers(-30, 30), max_size=20))
def test_two_inputs_tell_the_direction_and_trembling_counts_nothing(turns):
    Device.pin_factory = MockFactory()
    clock, pulses = SystemClock(), PulseEncoder(1.0, FASTEST)
    encoder = GpioEncoder(A, B, pulses, clock, simulated=True)
    pins = Device.pin_factory.pin(A), Device.pin_factory.pin(B)
    at, way = 0, 0
    for quarters in turns:
        at = turned(pins, quarters, at)
        way += quarters
        for _ in range(3):
            at = turned(pins, -1, turned(pins, 1, at))
        assert abs(pulses.position_mm(pulses.heard_at or 0.0) - way / 4) < 1
    encoder.release()
    Device.pin_factory = None


def test_a_pin_that_is_in_use_is_named_and_the_other_one_given_back(factory):
    with pytest.raises(BadInput, match="encoder: pin 5"):
        GpioEncoder(A, A, PulseEncoder(1.0), SystemClock())
    GpioEncoder(A, B, PulseEncoder(1.0), SystemClock()).release()


class NoCamera:
    def read(self):
        return None

    def close(self):
        pass


def configured(source: str, **belt) -> tuple:
    config = Config(camera={"source": source}, belt=belt)
    return with_encoder(config, NoCamera(), SystemClock())


def test_the_configured_encoder_is_built_and_gives_its_pins_back(factory):
    assert isinstance(configured("0")[1], Odometer)
    assert isinstance(configured("belt.mp4", encoder="time")[1], TimedEncoder)
    wheel = {"encoder": "pulses", "pulse_pin": A, "pulse_pin_b": B, "mm_per_pulse": 1.0}
    camera, encoder = configured("0", **wheel)
    assert isinstance(encoder, CheckedEncoder) and camera.read() is None
    with pytest.raises(BadInput, match="pin 5"):
        configured("0", **wheel)
    camera.close()
    configured("0", **wheel)[0].close()
    with pytest.raises(BadInput, match="recorded belt"):
        configured("belt.mp4", **wheel)
