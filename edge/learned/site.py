"""How the answers of a bundle are decided at one site, measured on items of that site."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.bundle.manifest import (
    MOST_LABELS,
    Count,
    DecisionParameters,
    Finite,
    Share,
    Temperature,
)

Moment = Annotated[float, Field(ge=0, le=1e11)]
"""Unix seconds."""


class SiteCalibration(BaseModel):
    """Decision parameters that take the place of the bundle's.

    Attributes:
        temperature: the logits are divided by it before the softmax.
        thresholds: label -> least confidence for it.
        hazard_thresholds: hazard -> the probability from which an item of another label goes to
            `manual`.
        unknown_threshold: an item that scores less is out of distribution, in the units of the
            bundle's detector; None: the bundle's own threshold stays.
        items: how many reviewed items they were measured on.
        since, until: when these were decided on.
        before, after: figures with the parameters before, and with these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    temperature: Temperature
    thresholds: Annotated[dict[str, Share], Field(max_length=MOST_LABELS)]
    hazard_thresholds: Annotated[dict[str, Share], Field(max_length=MOST_LABELS)]
    unknown_threshold: Finite | None
    items: Count
    since: Moment
    until: Moment
    before: Annotated[dict[str, Finite], Field(max_length=MOST_LABELS)]
    after: Annotated[dict[str, Finite], Field(max_length=MOST_LABELS)]

    def applied_to(self, parameters: DecisionParameters) -> DecisionParameters:
        """The parameters of a bundle with those of the site in their place."""
        unknown = parameters.unknown
        if unknown is not None and self.unknown_threshold is not None:
            unknown = unknown.model_copy(update={"threshold": self.unknown_threshold})
        known = set(parameters.labels)
        return parameters.model_copy(
            update={
                "temperature": self.temperature,
                "thresholds": {
                    **parameters.thresholds,
                    **{label: each for label, each in self.thresholds.items() if label in known},
                },
                "hazard_thresholds": {
                    **parameters.hazard_thresholds,
                    **{
                        hazard: each
                        for hazard, each in self.hazard_thresholds.items()
                        if hazard in parameters.hazards
                    },
                },
                "unknown": unknown,
            }
        )
