"""Options that several training commands share."""

from pathlib import Path
from typing import Annotated

import typer

from train.learning.recipe import Augmentation, Precision, UnfreezeStage

ImageSize = Annotated[int, typer.Option(min=32, max=512, help="side of the model's input, px")]
Epochs = Annotated[int, typer.Option(min=1, help="epochs that train the new layers")]
UnfreezeEpochs = Annotated[
    int, typer.Option(min=0, help="further epochs that train unfrozen stages as well")
]
Unfreeze = Annotated[UnfreezeStage, typer.Option(help="first stage to unfreeze")]
Views = Annotated[int, typer.Option(min=1, help="number of augmented views of each photo")]
EarlierViews = Annotated[
    int | None, typer.Option(min=1, hidden=True, help="earlier name of --views")
]
AugmentationKind = Annotated[
    Augmentation,
    typer.Option(help="kind of augmented views; belt pastes items on other backgrounds"),
]
NumberFormat = Annotated[Precision, typer.Option(help="number format to train in")]
Seed = Annotated[int, typer.Option(help="seed of all random numbers")]
Masks = Annotated[
    Path | None,
    typer.Option(help="folder of masks by segment.py; without it photos are segmented here"),
]
