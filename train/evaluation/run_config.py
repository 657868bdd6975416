"""Read the `config.json` of a training run."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from edge.errors import BadInput, first_problem

RUN_MODEL, RUN_CONFIG = "model.keras", "config.json"


class RunConfig(BaseModel):
    """The keys of `config.json` that evaluation and conversion need.

    Attributes:
        labels: the classes, in the order of the model's outputs.
        image_size: height and width of the model's input, px.
        seed: of the training.
        data: the datasets it was trained on.
        weights: the initial weights, a name or a file.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    image_size: Annotated[int, Field(ge=1)]
    seed: int
    data: tuple[str, ...]
    weights: str


def read_run_config(run: Path) -> RunConfig:
    """Read the configuration of a run directory.

    Raises:
        BadInput: it is missing or invalid.
    """
    path = run / RUN_CONFIG
    try:
        return RunConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error)}") from None
