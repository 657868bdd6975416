import shutil

import pytest

from tests.support.servers import MOSQUITTO, Broker, Plc


@pytest.fixture
def plc():
    plc = Plc()
    plc.start()
    yield plc
    if plc.alive:
        plc.kill()


@pytest.fixture
def broker(tmp_path):
    if MOSQUITTO is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto and openssl are not installed (apt install mosquitto)")
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    if broker.alive:
        broker.kill()
