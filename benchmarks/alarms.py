"""How many alarms a shift brings, with and without faults, and how soon each fault raises its own.

A shift of 8 hours takes seconds: time and line are simulated (`edge.simulator.alarm_shift`).
"""

from edge.process_setup import limit_threads

limit_threads()  # before numpy is imported

import json
from statistics import median
from typing import Annotated

import typer

from edge.simulator.alarm_shift import FAULTY, RAISES, Injected, ShiftAlarms, simulate_shift


def main(
    *,
    shifts: Annotated[int, typer.Option(min=1, help="shifts of each kind")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="seed of the first shift")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure the alarms of simulated shifts. Exit code: 0 done."""
    seeds = range(seed, seed + shifts)
    quiet = [simulate_shift(seed=each) for each in seeds]
    faulty = [simulate_shift(FAULTY, seed=each) for each in seeds]
    rows = [delays(fault, faulty) for fault in FAULTY]
    figures = {"without faults": rates(quiet), "with faults": rates(faulty), "delays": rows}
    if as_json:
        print(json.dumps(figures))
        return
    for name in ("without faults", "with faults"):
        found = rates(quiet if name == "without faults" else faulty)
        print(
            f"{name}: {found['alarms']:.1f} alarms a shift, {found['per_10_minutes']:.2f} in ten "
            f"minutes, {found['most_in_10_minutes']:.0f} at most; {found['causes']:.0f} causes came"
        )
    print(f"{'cause':27}  {'alarm':18}  raised    median s  longest s  stated s")
    for row in rows:
        print(
            f"{row['cause']:27}  {row['alarm']:18}  {row['raised']:2} of {shifts:2}  "
            f"{row['median_s']:8.0f}  {row['longest_s']:9.0f}  {row['stated_s']:8.0f}"
        )


def rates(shifts: list[ShiftAlarms]) -> dict[str, float]:
    """The rates of several shifts of one kind."""
    return {
        "alarms": sum(len(each.raised) for each in shifts) / len(shifts),
        "per_10_minutes": max(each.per_10_minutes for each in shifts),
        "most_in_10_minutes": max(each.most_in_10_minutes for each in shifts),
        "causes": sum(each.causes for each in shifts) / len(shifts),
    }


def delays(fault: Injected, shifts: list[ShiftAlarms]) -> dict[str, float | str]:
    """How soon a fault raised its alarm."""
    name, stated_s = RAISES[fault.cause]
    found = [delay for each in shifts if (delay := each.delay_s(fault)) is not None]
    return {
        "cause": fault.cause.value,
        "alarm": name.value,
        "raised": len(found),
        "median_s": median(found) if found else float("nan"),
        "longest_s": max(found, default=float("nan")),
        "stated_s": stated_s,
    }


if __name__ == "__main__":
    typer.run(main)
