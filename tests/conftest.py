"""A tiny run and its bundle, made the real way from drawn items; the table of faults injected."""

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.drawn import draw_data
from tests.support.training import train_tiny, write_fp32, write_run


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What our modules log while a test runs, from INFO on, line by line."""
    handler = _Kept()
    loggers = [logging.getLogger(name) for name in ("edge", "train", "convert")]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    yield handler.lines
    for log, level in zip(loggers, levels, strict=True):
        log.setLevel(level)
        log.removeHandler(handler)


FAULTS: list[tuple[str, str, str, str]] = []
"""Each fault that a test injected: what, seconds until noticed, what happened, seconds until back
after its end."""


@pytest.fixture
def injected() -> Callable[..., None]:
    """Enters a fault into the table at the end of the run."""

    def enter(
        fault: str, happened: str, noticed_s: float | None = None, back_s: float | None = None
    ) -> None:
        times = ["-" if time is None else f"{time:.1f}" for time in (noticed_s, back_s)]
        FAULTS.append((fault, times[0], happened, times[1]))

    return enter


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The faults that were injected, and how long it took to get over them."""
    if FAULTS:
        terminalreporter.section("faults injected")
        rows = [("fault", "noticed s", "what happened", "back s"), *FAULTS]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            terminalreporter.write_line("  ".join(cells).rstrip())


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of four classes, 16 drawn items each.

    train/ shows each item on a dark and on a light background, test/ on one in between: near enough
    for a tiny network to be sure of its answers.
    """
    folder = tmp_path_factory.mktemp("drawn")
    draw_data(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run directory with a small residual network that has learned `drawn_data`."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    run.mkdir()
    write_run(run, train_tiny(drawn_data), drawn_data)
    return run


@pytest.fixture(scope="session")
def tiny_bundle(tiny_run: Path, drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `tiny_run`. Copy it before changing it."""
    from convert.quantize import ConversionOptions, quantize

    out = tmp_path_factory.mktemp("bundles") / "tiny-int8"
    outcome = quantize(ConversionOptions(tiny_run, (drawn_data,), out, calibration=40))
    assert outcome.chosen.failed == ()
    return out


@pytest.fixture(scope="session")
def tiny_fp32(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of `tiny_run` as unquantized TFLite."""
    path = tmp_path_factory.mktemp("fp32") / "model.tflite"
    write_fp32(tiny_run, path)
    return path
