"""The command for many boards: fleet."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import PATH, AsJson, ConfigFile, require_finite
from edge.terminal import out


def fleet(
    *,
    config: ConfigFile = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="broker; without: `mqtt.host` of --config"),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="topics of the boards, such as plant/+; without: beside `mqtt.topic`",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.05,
            max=30,
            callback=require_finite,
            help="a broker that sends no report for so long has sent all, s",
        ),
    ] = 0.3,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            "--prometheus-targets", **PATH, help="file to write for file_sd_configs of Prometheus"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how the boards at a broker are doing: bundle, health and why, items, share by hand."""
    import shutil

    from edge.config import read_config
    from edge.files import write_whole
    from edge.fleet import table
    from edge.fleet.listening import fleet_place, listen

    place = fleet_place(read_config(config).mqtt, broker, topic)
    boards, now = listen(place, seconds), time.time()
    if as_json:
        out.print(json.dumps(table.as_json(boards, now)))
    elif boards:
        width = shutil.get_terminal_size((160, 24)).columns
        for line in table.as_lines(boards, now, width):
            out.print(line)
    else:
        out.print(f"{place.mqtt.host}: no board reports under {place.pattern}")
    if prometheus is not None:
        write_whole(prometheus, table.prometheus_targets(boards), mode=0o644)
