"""A real Modbus TCP server as a program of its own, that prints what is written to it.

Each line is a JSON array: monotonic seconds, address, values (booleans for coils).
"""

import asyncio
import json
import logging
import sys
import time

from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import StartAsyncTcpServer


def say(*what) -> None:
    print(json.dumps(what), flush=True)


def show(sending, pdu):
    if not sending:
        if pdu.function_code == 5:
            say(time.monotonic(), pdu.address, [bool(pdu.bits[0])])
        elif pdu.function_code == 16:
            say(time.monotonic(), pdu.address, list(pdu.registers))
    return pdu


async def serve(port: int) -> None:
    device = ModbusDeviceContext(
        co=ModbusSequentialDataBlock(1, [0] * 100), hr=ModbusSequentialDataBlock(1, [0] * 200)
    )
    context = ModbusServerContext(devices=device, single=True)
    asyncio.get_running_loop().call_later(0.2, say, "ready")
    await StartAsyncTcpServer(context, address=("127.0.0.1", port), trace_pdu=show)


logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
asyncio.run(serve(int(sys.argv[1])))
