import pytest

from tests.support.servers import Plc


@pytest.fixture
def plc():
    plc = Plc()
    plc.start()
    yield plc
    if plc.alive:
        plc.kill()
