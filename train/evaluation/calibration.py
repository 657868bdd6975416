"""The calibration of a run: `calibration.json`, and `unknown.npz` beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from edge.bundle.format_1 import renamed, with_current_score
from edge.bundle.manifest import UNKNOWN_FILE, DecisionParameters
from edge.errors import BadInput, first_problem
from edge.files import write_whole
from edge.inference.ood import OodDetector, pack_detector, unpack_detector
from edge.inference.touching import TouchingRule, unpack_touching
from edge.labels import default_hazards

CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class RunCalibration:
    """The calibration of a run.

    Attributes:
        parameters: temperature, thresholds and hazard thresholds.
        detector: the OOD detector; None where there is none.
        touching: tells several items from one; None where there is none.
        calibrated: whether the run was calibrated; otherwise these are the defaults.
    """

    parameters: DecisionParameters
    detector: OodDetector | None
    calibrated: bool
    touching: TouchingRule | None = None

    @property
    def detector_data(self) -> bytes | None:
        """The content of `unknown.npz`."""
        return None if self.detector is None else _packed(self.detector, self.touching)


class _CalibrationFile(BaseModel):
    parameters: DecisionParameters
    figures: dict


def read_calibration(run: Path, labels: tuple[str, ...]) -> RunCalibration:
    """Read the calibration of a run directory; the defaults where it was never calibrated.

    Raises:
        BadInput: it cannot be read, or belongs to another model.
    """
    path = run / CALIBRATION
    if not path.exists():
        parameters = DecisionParameters(labels=labels, hazards=default_hazards(labels))
        return RunCalibration(parameters, detector=None, calibrated=False)
    try:
        content = _with_current_keys(path.read_bytes())
        parameters = _CalibrationFile.model_validate_json(content).parameters
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error)}") from None
    if parameters.labels != labels:
        raise BadInput(f"{path}: other labels than the run's; run train/calibrate.py again")
    if parameters.unknown is None:
        return RunCalibration(parameters, detector=None, calibrated=True)
    try:
        detector_data = (run / UNKNOWN_FILE).read_bytes()
        detector = unpack_detector(detector_data, parameters.unknown, len(labels))
        touching = unpack_touching(detector_data)
    except (OSError, BadInput) as error:
        raise BadInput(f"{run / UNKNOWN_FILE}: {error}; run train/calibrate.py again") from None
    return RunCalibration(parameters, detector, calibrated=True, touching=touching)


def _packed(detector: OodDetector, touching: TouchingRule | None) -> bytes:
    return pack_detector(detector, {} if touching is None else touching.arrays)


def _with_current_keys(content: bytes) -> bytes:
    """Translate `levels`, the key of earlier runs, and the spellings of manifest format 1."""
    try:
        stored = json.loads(content)
    except ValueError:
        return content
    if not isinstance(stored, Mapping) or not isinstance(stored.get("levels"), Mapping):
        return content
    parameters = renamed(stored["levels"])
    parameters["unknown"] = with_current_score(parameters.get("unknown"), "score")
    return json.dumps({"parameters": parameters, "figures": stored.get("figures")}).encode()


def write_calibration(
    run: Path,
    parameters: DecisionParameters,
    detector: OodDetector | None,
    figures: dict,
    touching: TouchingRule | None = None,
) -> None:
    """Write the calibration of a run, with the figures behind it.

    Raises:
        OSError: it cannot be written.
    """
    if detector is not None:
        write_whole(run / UNKNOWN_FILE, _packed(detector, touching))
    content = {"parameters": parameters.model_dump(mode="json"), "figures": figures}
    write_whole(run / CALIBRATION, (json.dumps(content, indent=2) + "\n").encode())
