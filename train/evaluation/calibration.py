"""What a run's answers are decided by: `calibration.json`, and `unknown.npz` beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from edge.bundle.manifest import UNKNOWN_FILE, DecisionParameters
from edge.errors import BadInput, first_problem
from edge.files import write_whole
from edge.inference.ood import OodDetector, pack_detector, unpack_detector
from edge.labels import default_hazards

CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class RunLevels:
    """The levels of a run.

    Attributes:
        levels: temperature, thresholds, hazard_thresholds.
        detector: tells things of no known class; None where there is none.
        calibrated: whether the run was calibrated; else these are the defaults.
    """

    levels: DecisionParameters
    detector: OodDetector | None
    calibrated: bool

    @property
    def detector_data(self) -> bytes | None:
        """The content of `unknown.npz`."""
        return None if self.detector is None else pack_detector(self.detector)


class _Calibration(BaseModel):
    levels: DecisionParameters
    figures: dict


def read_levels(run: Path, labels: tuple[str, ...]) -> RunLevels:
    """The levels of a run directory; the defaults for one that was never calibrated.

    Raises:
        BadInput: they cannot be read, or are of another model.
    """
    path = run / CALIBRATION
    if not path.exists():
        hazards = default_hazards(labels)
        return RunLevels(DecisionParameters(labels=labels, hazards=hazards), None, calibrated=False)
    try:
        levels = _Calibration.model_validate_json(path.read_bytes()).levels
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error)}") from None
    if levels.labels != labels:
        raise BadInput(f"{path}: other labels than the run's; run train/calibrate.py again")
    if levels.unknown is None:
        return RunLevels(levels, None, calibrated=True)
    try:
        content = (run / UNKNOWN_FILE).read_bytes()
        detector = unpack_detector(content, levels.unknown, len(labels))
    except (OSError, BadInput) as error:
        raise BadInput(f"{run / UNKNOWN_FILE}: {error}; run train/calibrate.py again") from None
    return RunLevels(levels, detector, calibrated=True)


def write_levels(
    run: Path, levels: DecisionParameters, detector: OodDetector | None, figures: dict
) -> None:
    """Write the levels of a run, with the figures that tell how they were come by.

    Raises:
        OSError: they cannot be written.
    """
    if detector is not None:
        write_whole(run / UNKNOWN_FILE, pack_detector(detector))
    content = {"levels": levels.model_dump(mode="json"), "figures": figures}
    write_whole(run / CALIBRATION, (json.dumps(content, indent=2) + "\n").encode())
