"""A client of a Modbus TCP device, through pymodbus; the thread that has it reports a failure."""

import logging
from collections.abc import Callable
from typing import Any

from edge.errors import BadInput, EwasteError


def new_modbus_client(asker: str, host: str, port: int, timeout_s: float) -> Any:
    """A pymodbus client that is not connected yet, and repeats nothing: that may come too late.

    Args:
        asker: what needs it, for the person at the line.
        host: of the device.
        port: its TCP port.
        timeout_s: for an answer, s.

    Raises:
        BadInput: pymodbus is not installed.
    """
    try:
        from pymodbus.client import ModbusTcpClient
    except ModuleNotFoundError:
        raise BadInput(f"{asker} needs pymodbus; run: pip install 'pymodbus>=3.10,<4'") from None
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    return ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)


def answer_to(
    request: Callable[..., Any], address: int, *values: Any, client: Any, unit: int, **more: Any
) -> Any:
    """The answer of a device to a request of the client.

    Args:
        request: method of the client.
        address: of the first coil or register.
        values: to be written.
        client: that the request is of.
        unit: id of the device.
        more: for the request.

    Raises:
        EwasteError: the device does not answer, or answers with an error.
    """
    from pymodbus.exceptions import ModbusException

    try:
        answer = request(address, *values, device_id=unit, **more)
    except ModbusException as error:
        reason = "no answer" if client.socket else "the connection was closed"
        raise EwasteError(f"{reason} (address {address})") from error
    if answer.isError():
        raise EwasteError(f"address {address} refused (Modbus exception {answer})")
    return answer
