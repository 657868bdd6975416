"""The parts of the page as HTML, made from a status and item records; all text is escaped."""

import time
from collections.abc import Collection, Mapping, Sequence
from html import escape
from urllib.parse import quote

from edge.bundle.bundle import Bundle
from edge.labels import MANUAL, UNKNOWN
from edge.records.store import ItemRecord
from edge.status import NOT_STARTED, RUNNING, STALLED, STOPPED, Percentiles, Status
from edge.verdict import Verdict

STALE_SECONDS = 5.0
"""A status older than this means that the line hangs or died."""

SHOWN_CLASSES = 5
STAGES = {"detect": "Detect", "classify": "Classify", "verdict": "Photo to verdict"}
"""What the latencies are called on the page, in this order; others keep their own name."""


def line_state(status: Status | None, now: float) -> str:
    """Name the state in one word, given unix seconds; `stalled` when the line fell silent."""
    if status is None:
        return NOT_STARTED
    # A status from the future is from before the clock was set back: nothing current either.
    if status.state != STOPPED and abs(now - status.updated_at) > STALE_SECONDS:
        return STALLED
    return status.state


def header(status: Status | None, now: float) -> str:
    """Tell the state of the line, what it runs with, and what a person should know or do."""
    state = line_state(status, now)
    kind = state if state in (RUNNING, STOPPED, STALLED) else "other"
    facts = ""
    message: str | None = "Start the conveyor; this page then follows by itself."
    if status is not None:
        named = {
            "Camera": status.camera,
            "Bundle": f"{status.bundle} {status.digest.removeprefix('sha256:')[:8]}".strip(),
            "Belt": f"{status.speed_mm_s:.0f} mm/s",
            "Pictures": f"{status.fps:.0f} per second",
        }
        facts = "".join(
            f"<span><em>{name}</em> {escape(value)}</span>"
            for name, value in named.items()
            if value
        )
        message = status.message
    if state == STALLED and status is not None:
        age = max(0, round(now - status.updated_at))
        message = f"No news from the line for {duration(age)}: check the conveyor program."
    banner = f'<p class="banner {kind}">{escape(message)}</p>' if message else ""
    return (
        f'<div class="header"><strong class="state {kind}">{escape(state)}</strong>'
        f'<span class="facts">{facts}</span></div>{banner}'
    )


def duration(seconds: int) -> str:
    """Seconds in the unit a person would use."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} s"


def tiles(status: Status | None, per_minute: int) -> str:
    """Show the large numbers, and the gates."""
    status = status or Status(updated_at=0, state=NOT_STARTED)
    share = f"{status.unknown / status.items:.0%} of all" if status.items else ""
    numbers = [
        ("items", "Items", status.items, "since the start", "large"),
        ("rate", "Per minute", per_minute, "in the last minute", "large"),
        ("unknown", "Unknown", status.unknown, share, ""),
        ("late", "Late", status.late, "sent to manual", "warning" if status.late else ""),
        _dropped(status),
    ]
    figures = "".join(
        f'<div class="tile {kind}" data-figure="{key}"><em>{name}</em><strong>{value:,}</strong>'
        f"<small>{note}</small></div>"
        for key, name, value, note, kind in numbers
    )
    gates = "".join(_gate(bin_name, is_open) for bin_name, is_open in status.gates.items())
    if gates:
        gates = f'<h3>Gates</h3><div class="gates">{gates}</div>'
    return f'<div class="tiles">{figures}</div>{gates}'


def _gate(bin_name: str, is_open: bool) -> str:
    word = "open" if is_open else "closed"
    return f'<span class="gate {word}">{escape(bin_name)} <b>{word}</b></span>'


def _dropped(status: Status) -> tuple[str, str, int, str, str]:
    """Say what was dropped; a lost picture is normal under load, a lost record is not."""
    parts = ((status.dropped_frames, "pictures"), (status.dropped_records, "records"))
    note = ", ".join(f"{count:,} {name}" for count, name in parts if count)
    kind = "alarm" if status.dropped_records else ""
    return "dropped", "Dropped", sum(count for count, _ in parts), note, kind


def bars(counts: Mapping[str, int], labels: Sequence[str], hazards: Collection[str]) -> str:
    """Items per label as bars: the model's `labels` in their order, then whatever else counted."""
    names = [*labels, *sorted(set(counts) - set(labels) - {UNKNOWN}), UNKNOWN]
    longest = max([1, *counts.values()])
    rows = "".join(
        f'<div class="bar{_kind(name, hazards)}"><span>{escape(name)}</span>'
        f'<i><u style="width:{100 * counts.get(name, 0) / longest:.1f}%"></u></i>'
        f"<b>{counts.get(name, 0):,}</b></div>"
        for name in names
    )
    return f'<h3>Items per class</h3><div class="bars">{rows}</div>'


def _kind(label: str, hazards: Collection[str]) -> str:
    return " hazard" if label in hazards else " unknown" if label == UNKNOWN else ""


def latencies(latency: Mapping[str, Percentiles]) -> str:
    """Tabulate the median and the slowest hundredth of each stage."""
    stages = [*(name for name in STAGES if name in latency), *sorted(set(latency) - set(STAGES))]
    rows = "".join(
        f"<tr><td>{escape(STAGES.get(name, name))}</td><td>{latency[name].p50:.1f}</td>"
        f"<td>{latency[name].p99:.1f}</td></tr>"
        for name in stages
    )
    heads = "<tr><th>ms</th><th>median</th><th>p99</th></tr>"
    return f'<h3>Latency</h3><table class="latency">{heads}{rows}</table>'


def crop_address(item_id: str) -> str:
    """Where the crop of an item is served, relative to the page."""
    return f"crops/{quote(item_id, safe='')}.jpg"


def items(records: Sequence[ItemRecord], hazards: Collection[str], trouble: str = "") -> str:
    """Tabulate the last items, the newest first, or say why there are none."""
    if not records:
        text = trouble or "No items yet."
        return f'<h3>Last items</h3><p class="nothing">{escape(text)}</p>'
    heads = "".join(
        f"<th>{name}</th>" for name in ("", "Class", "Confidence", "Bin", "Reason", "Time")
    )
    rows = "".join(_item(record, hazards) for record in records)
    return f'<h3>Last items</h3><table class="items"><tr>{heads}</tr>{rows}</table>'


def _item(record: ItemRecord, hazards: Collection[str]) -> str:
    crop = (
        f'<img src="{escape(crop_address(record.item_id))}" alt="" loading="lazy">'
        if record.crop
        else '<span class="no-crop"></span>'
    )
    late = ' <b class="late">late</b>' if record.late else ""
    manual = " manual" if record.bin == MANUAL else ""
    moment = _time_of_day(record.decided_at)
    return (
        f'<tr class="{_kind(record.label, hazards).strip()}"><td>{crop}</td>'
        f'<td class="label">{escape(record.label)}</td><td>{record.confidence:.0%}</td>'
        f'<td><span class="bin{manual}">{escape(record.bin)}</span>{late}</td>'
        f'<td class="reason">{escape(record.detail)}</td><td>{moment}</td></tr>'
    )


def _time_of_day(unix_s: float) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(unix_s))
    except (ValueError, OverflowError, OSError):  # not known, or a corrupted record
        return "-"


def verdict(said: Verdict, hazards: Collection[str]) -> str:
    """Put the verdict on a tried picture, in words."""
    return (
        f'<div class="verdict{_kind(said.label, hazards)}"><strong>{escape(said.label)}</strong>'
        f"<span>goes to <b>{escape(said.bin)}</b></span><p>{escape(said.detail)}</p></div>"
    )


def classes(probabilities: Mapping[str, float]) -> str:
    """The most likely classes of a tried picture as bars."""
    top = sorted(probabilities.items(), key=lambda pair: -pair[1])[:SHOWN_CLASSES]
    rows = "".join(
        f'<li><i style="width:{100 * share:.1f}%"></i><div><span>{escape(label)}</span>'
        f"<u></u><b>{share:.0%}</b></div></li>"
        for label, share in top
    )
    return f'<div class="tried"><em>Classes</em><ol>{rows}</ol></div>'


def problem(text: str) -> str:
    """One line that says what is wrong."""
    return f'<p class="banner stalled">{escape(text)}</p>'


def about(bundle: Bundle, status: Status | None) -> str:
    """Tell what the bundle is and what it was proved by."""
    manifest, parity = bundle.manifest, bundle.manifest.parity
    low, high = parity.accuracy_quantized_interval
    facts = [
        ("Bundle", manifest.name),
        ("Digest", bundle.digest),
        ("Made", f"{manifest.created:%Y-%m-%d %H:%M} UTC"),
        ("Classes", ", ".join(bundle.labels)),
        ("Hazards, suspected from", _listed(manifest.hazard_threshold_of, 2) or "none"),
        ("Least confidence", _listed(manifest.threshold_of, 0)),
        ("Unknown things", manifest.unknown.score if manifest.unknown else "by confidence only"),
        ("Images compared", f"{parity.images:,} ({parity.split})"),
        ("Same answer as the float model", f"{parity.agreement:.2%}"),
        ("Accuracy", f"{parity.accuracy_quantized:.2%} (95 % interval {low:.2%} to {high:.2%})"),
        ("Accuracy of the float model", f"{parity.accuracy_float:.2%}"),
        ("Largest difference of a probability", f"{parity.max_probability_difference:.3f}"),
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    note = ""
    if status is not None and status.digest and status.digest != bundle.digest:
        note = problem(f"The line runs another bundle ({status.bundle}) until it is started again.")
    return f'{note}<table class="about">{rows}</table>'


def _listed(shares: Mapping[str, float], digits: int) -> str:
    return ", ".join(f"{label} {share:.{digits}%}" for label, share in shares.items())
