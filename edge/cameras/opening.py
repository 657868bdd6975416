"""Opening the driver of a live camera, in the capture process."""

from edge.cameras.device import Device, DeviceSettings, Kind, kind_of, shown_source
from edge.errors import BadInput


def open_device(settings: DeviceSettings) -> Device:
    """Open a live camera, waiting as long as that takes.

    Raises:
        EwasteError: it does not open.
        BadInput: it cannot do what is asked of it, or its driver is not installed.
    """
    kind = kind_of(settings.source)
    if kind is Kind.PICAMERA:
        from edge.cameras.picamera import PicameraDevice

        return PicameraDevice(settings)
    if kind is Kind.V4L2:
        from edge.cameras.usb import UsbDevice

        return UsbDevice(settings)
    if kind is Kind.FILM:
        from edge.cameras.film import FilmDevice

        return FilmDevice(settings.source)
    if kind is not Kind.STREAM:
        raise BadInput(f"{shown_source(settings.source)}: there is no such camera any more")
    from edge.cameras.stream import StreamDevice

    return StreamDevice(settings)
