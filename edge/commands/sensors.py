"""`ewaste-edge sensor-rates`: how good a sensor beside the belt is."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import AsJson, ConfigFile, RecordsDir
from edge.commands.settings import read_settings
from edge.errors import BadInput, Refused
from edge.terminal import out

if TYPE_CHECKING:
    from edge.config import SensorConfig
    from edge.sensors.rates import SensorRates


def sensor_rates(
    sensor: Annotated[str, typer.Argument(metavar="NAME", help="name of the sensor")],
    *,
    with_it: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="FOUND/ALL", help="test pieces with what it finds, such as 91/100"
        ),
    ] = None,
    without_it: Annotated[
        str | None,
        typer.Option("--without", metavar="FOUND/ALL", help="test pieces without it"),
    ] = None,
    only_sample: Annotated[
        bool, typer.Option(help="count only items that were drawn for review at random")
    ] = False,
    config: ConfigFile = None,
    state: RecordsDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often a sensor finds what is there, and what is not, by reviewed items.

    A hazard that no picture shows takes test pieces: --with and --without. Exit code 3: its answer
    says nothing.
    """
    settings = read_settings(config, state=state)
    chosen = next((each for each in settings.sensors if each.name == sensor), None)
    if chosen is None:
        known = ", ".join(each.name for each in settings.sensors) or "none"
        raise BadInput(f"no sensor of this name in the configuration; it has: {known}")
    if (with_it is None) != (without_it is None):
        raise BadInput("--with and --without need each other")
    if with_it is not None and without_it is not None:
        from edge.sensors.rates import SensorRates, counted_pieces

        pieces = counted_pieces(with_it, "--with"), counted_pieces(without_it, "--without")
        rates = SensorRates(*pieces)
    elif chosen.inside:
        raise BadInput(
            f"no review shows {chosen.finds}; send test pieces down the belt, and give what the "
            "sensor found: --with 91/100 --without 6/100"
        )
    else:
        from edge.records.store import RECORDS_NAME, Store
        from edge.sensors.rates import measured_rates

        with Store(settings.state_folder / RECORDS_NAME, read_only=True) as store:
            records = store.all(crops=False)
            rates = measured_rates(records, sensor, chosen.finds, only_sample=only_sample)
    _show(chosen, rates, as_json)
    if not rates.says_something:
        raise Refused(f"sensor {sensor}: its answer says nothing; more items, or another sensor")


def _show(sensor: "SensorConfig", rates: "SensorRates", as_json: bool) -> None:
    rows = {"found": rates.with_it, "false_alarms": rates.without_it}
    if as_json:
        figures = {
            name: {
                "found": each.found,
                "items": each.items,
                "rate": each.rate,
                "low": each.interval[0],
                "high": each.interval[1],
            }
            for name, each in rows.items()
        }
        out.print(json.dumps({"sensor": sensor.name, "finds": sensor.finds, **figures}))
        return
    for words, each in zip(("with", "without"), rows.values(), strict=True):
        low, high = each.interval
        out.print(
            f"{words} {sensor.finds}: found in {each.found} of {each.items}, rate "
            f"{each.rate:.1%} ({low:.1%} to {high:.1%})"
        )
    if rates.says_something:
        out.print(f"# in [[sensors]] of {sensor.name}")
        for name, each in rows.items():
            out.print(f"{name} = {each.configured:g}")
