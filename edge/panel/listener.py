"""Open the panel's port before anything slow starts, so that a port in use is reported at once."""

import errno
import socket

from edge.errors import BadInput, PortInUse


def listen(host: str, port: int) -> socket.socket:
    """Open the port.

    Args:
        host: the name or address to listen on.
        port: the TCP port; 0 for any free one.

    Raises:
        BadInput: the port is in use or not allowed, or there is no such address.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"port {port}: no such port; choose one from 1 to 65535")
    shown = f"[{host}]" if ":" in host else host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # now: two that start at once may both bind
    except (OSError, UnicodeError) as error:  # a host of odd letters is no name at all
        reason = getattr(error, "strerror", None) or error
        in_use = getattr(error, "errno", None) == errno.EADDRINUSE
        raise (PortInUse if in_use else BadInput)(
            f"{shown}:{port}: the panel cannot listen there ({reason}); choose another port or host"
        ) from None
    return listener
