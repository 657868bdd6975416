"""Search the recipe by Optuna on the validation photos.

The photos are read and the frozen part's features computed once; a trial is a training on them.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import optuna
from optuna.trial import TrialState
from rich.table import Table

from edge.errors import BadInput
from edge.files import write_whole
from train.learning.fit import Material, fit
from train.learning.job import FEATURES, Job, build, described, material_of, read
from train.learning.precision import choose_policy, set_policy
from train.progress import bars

log = logging.getLogger(__name__)

STUDY, TRIAL, RESULT = "study.db", "trial", "tune.json"


def tune(job: Job, trials: int, out: Path) -> dict:
    """Search learning rate, dropout, label smoothing, averaging and batch by the validation loss.

    The loss, not the accuracy: of a few hundred photos, it tells recipes apart that get the same
    ones right. The test split is not looked at. `out` keeps the study, so that a later call goes
    on where this one ended or was killed, a half trained trial at its last epoch; the trials are
    the same as without interruption.

    Returns what `tune.json` holds: best (its parameters, val_loss and val_accuracy), trials
    finished, and a row for each.

    Raises:
        BadInput: the data or the weights cannot be used, or `out` holds a study of another job.
        EwasteError: something cannot be written; `out` stays good to be continued.
    """
    set_policy(policy := choose_policy(job.precision), job.recipe.seed)
    dataset = read(job)
    network = build(job, dataset.labels)
    if not network.pretrained:
        raise BadInput(f"--weights {job.weights}: without pretrained stages there is no cache")
    out.mkdir(parents=True, exist_ok=True)
    study = _open_study(out, described(job, dataset, network, policy))
    material = material_of(job, dataset, out)
    while (finished := len(study.get_trials(states=[TrialState.COMPLETE]))) < trials:
        # By the finished trials alone, so that a study that was killed goes the same way.
        study.sampler = optuna.samplers.TPESampler(seed=job.recipe.seed + finished)
        trial = study.ask()
        tried = _suggest(trial, job)
        log.info(f"trial {finished + 1} of {trials}: {trial.params}")
        row = _train(tried, material, dataset.labels, out / TRIAL)
        trial.set_user_attr("val_accuracy", row["val_accuracy"])
        trial.set_user_attr("epochs", row["epochs"])
        study.tell(trial, row["val_loss"])
        shutil.rmtree(out / TRIAL)
    result = _result(study)
    write_whole(out / RESULT, (json.dumps(result, indent=2) + "\n").encode())
    shutil.rmtree(out / FEATURES, ignore_errors=True)
    return result


def _open_study(out: Path, asked: dict) -> optuna.Study:
    """The study in `out`, new or begun earlier with the same options."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{out / STUDY}", study_name="recipe", load_if_exists=True
    )
    asked = json.loads(json.dumps(asked))
    begun = study.user_attrs.get("asked", asked)
    if differing := sorted(name for name in asked if asked[name] != begun.get(name)):
        raise BadInput(
            f"{out}: holds a study with another {', '.join(differing)}; choose another --out"
        )
    study.set_user_attr("asked", asked)
    for killed in study.get_trials(states=[TrialState.RUNNING]):
        study.enqueue_trial(killed.params)
        study.tell(killed.number, state=TrialState.FAIL)
    return study


def _suggest(trial: optuna.Trial, job: Job) -> Job:
    recipe = replace(
        job.recipe,
        learning_rate=trial.suggest_float("learning_rate", 3e-5, 3e-3, log=True),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.2),
        ema=trial.suggest_categorical("ema", [0.0, 0.98, 0.995]),
        batch=trial.suggest_categorical("batch", [32, 64]),
        mixup=trial.suggest_categorical("mixup", [0.0, 0.2]),
    )
    if recipe.unfreeze_epochs:
        unfreeze_learning_rate = trial.suggest_float("unfreeze_learning_rate", 1e-5, 1e-3, log=True)
        recipe = replace(recipe, unfreeze_learning_rate=unfreeze_learning_rate)
    return replace(job, recipe=recipe, dropout=trial.suggest_float("dropout", 0.0, 0.6))


def _train(job: Job, material: Material, labels: Sequence[str], folder: Path) -> dict:
    """Train with a recipe, or go on if `folder` holds its beginning."""
    asked = json.dumps({**asdict(job.recipe), "dropout": job.dropout}).encode()
    if folder.exists() and (folder / "recipe.json").read_bytes() != asked:
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    write_whole(folder / "recipe.json", asked)
    keras.utils.set_random_seed(job.recipe.seed)
    with bars() as on_step:
        history, _ = fit(
            build(job, labels), material, recipe=job.recipe, out=folder, on_step=on_step
        )
    best = min(history, key=lambda row: row["val_loss"])
    return {**best, "epochs": len(history)}


def _result(study: optuna.Study) -> dict:
    rows = [
        {
            "trial": number,
            "val_loss": trial.value,
            **trial.user_attrs,
            "parameters": trial.params,
        }
        for number, trial in enumerate(study.get_trials(states=[TrialState.COMPLETE]), start=1)
    ]
    best = min(rows, key=lambda row: row["val_loss"])
    return {"finished": len(rows), "best": best, "trials": rows}


def table_of(result: dict) -> Table:
    """The trials of a search as a table, the best first."""
    names = list(result["best"]["parameters"])
    table = Table("trial", "val loss", "val accuracy", *names, box=None)
    for row in sorted(result["trials"], key=lambda row: row["val_loss"]):
        tried = (f"{row['parameters'][name]:.3g}" for name in names)
        figures = f"{row['val_loss']:.4f}", f"{row['val_accuracy']:.1%}"
        table.add_row(str(row["trial"]), *figures, *tried)
    return table
