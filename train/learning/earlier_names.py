"""Names that the files of runs of earlier versions use."""

EARLIER_SETTINGS = {
    "views": "copies",
    "learning_rate": "rate",
    "unfreeze": "thaw",
    "unfreeze_epochs": "thaw_epochs",
    "unfreeze_learning_rate": "thaw_rate",
}
"""Field of `Recipe` -> its key in the `config.json` of earlier versions."""

EARLIER_PHASE_NAMES = {"fresh layers": "new layers", "thawed": "unfrozen"}
"""Phase in the checkpoint of earlier versions -> its name now."""
