"""Fine-tune ResNet50 on labeled photos: python train/fine_tune.py --data DIR --out RUN."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BadInput, EwasteError
from train.command import command, load_tensorflow, print_json
from train.learning.recipe import Distribute, Recipe
from train.options import (
    AugmentationKind,
    EarlierViews,
    Epochs,
    ImageSize,
    Masks,
    NumberFormat,
    Seed,
    Unfreeze,
    UnfreezeEpochs,
    Views,
)

DEFAULT = Recipe()


def main(
    *,
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="run directory to write")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="dataset: a folder SPLIT/CLASS/*.jpg or CLASS/*.jpg, or a CSV file "
            "path,label[,split]; repeatable"
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="initial weights: imagenet, none, or a Keras file")
    ] = "imagenet",
    init: Annotated[Path | None, typer.Option(help="earlier run to continue from")] = None,
    image_size: ImageSize = 160,
    epochs: Epochs = DEFAULT.epochs,
    unfreeze_epochs: UnfreezeEpochs = DEFAULT.unfreeze_epochs,
    unfreeze: Unfreeze = DEFAULT.unfreeze,
    views: Views = DEFAULT.views,
    copies: EarlierViews = None,
    augmentation: AugmentationKind = DEFAULT.augmentation,
    learning_rate: Annotated[
        float, typer.Option(min=1e-6, help="peak learning rate of the new layers")
    ] = DEFAULT.learning_rate,
    unfreeze_learning_rate: Annotated[
        float, typer.Option(min=1e-6, help="peak learning rate with unfrozen stages")
    ] = DEFAULT.unfreeze_learning_rate,
    dropout: Annotated[
        float, typer.Option(min=0, max=0.9, help="share of the embedding dropped in training")
    ] = 0.4,
    label_smoothing: Annotated[
        float, typer.Option(min=0, max=0.5, help="share of a label spread over all classes")
    ] = DEFAULT.label_smoothing,
    mixup: Annotated[
        float, typer.Option(min=0, help="alpha of the mixup distribution; 0 disables mixup")
    ] = DEFAULT.mixup,
    ema: Annotated[
        float,
        typer.Option(
            min=0, max=0.9999, help="decay per step of the weights' moving average; 0 disables it"
        ),
    ] = DEFAULT.ema,
    batch: Annotated[int, typer.Option(min=1, help="photos per step, at most")] = DEFAULT.batch,
    patience: Annotated[
        int, typer.Option(min=1, help="epochs without improvement before a phase stops")
    ] = DEFAULT.patience,
    precision: NumberFormat = "auto",
    distribute: Annotated[
        Distribute | None,
        typer.Option(help="devices to train on: all local GPUs, or the machines in TF_CONFIG"),
    ] = None,
    seed: Seed = DEFAULT.seed,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="keep duplicates of val and test photos")
    ] = False,
    masks: Masks = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="number of folds to cross-validate the recipe in")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="ONNX file of a trained network whose embedding is learned as well"),
    ] = None,
    distillation: Annotated[
        float, typer.Option(min=0, max=100, help="weight of the teacher's loss")
    ] = DEFAULT.distillation,
    unlabeled: Annotated[
        list[Path] | None,
        typer.Option(help="folder of photos without labels for the teacher; repeatable"),
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="folder of photos of things of no known class; repeatable"),
    ] = None,
    negative_weight: Annotated[
        float, typer.Option(min=0, max=10, help="weight of a negative in the loss")
    ] = DEFAULT.negative_weight,
    leave_source_out: Annotated[
        list[Path] | None,
        typer.Option(help="dataset of --data to judge on instead of training; repeatable"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="continue an interrupted run with its own options")
    ] = False,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="log the run to MLflow")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print metrics as JSON")] = False,
) -> None:
    """Fine-tune ResNet50 on labeled photos. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out, "make room, then --resume"):
        load_tensorflow()
        import tensorflow as tf

        from train.learning.distribute import find_worker
        from train.learning.job import Job, job_of_run
        from train.learning.tracking import find_mlflow, log_to_mlflow
        from train.learning.training import check_out, error_cause, fine_tune

        if mlflow:
            find_mlflow()
        if not find_worker(distribute, os.environ).rank:
            check_out(out, resume)
        if resume:
            if given := _given_options(context):
                named = ", ".join("--" + name.replace("_", "-") for name in given)
                raise BadInput(f"--resume takes its options from the run; leave out {named}")
            job = job_of_run(out)
        elif not data:
            raise BadInput("--data: missing; name a folder of photos or a CSV file")
        else:
            recipe = Recipe(
                epochs=epochs,
                unfreeze_epochs=unfreeze_epochs,
                unfreeze=unfreeze,
                views=copies or views,
                augmentation=augmentation,
                learning_rate=learning_rate,
                unfreeze_learning_rate=unfreeze_learning_rate,
                label_smoothing=label_smoothing,
                mixup=mixup,
                ema=ema,
                distillation=distillation,
                negative_weight=negative_weight,
                batch=batch,
                patience=patience,
                seed=seed,
            )
            job = Job(
                data=tuple(data),
                weights=weights,
                init=init,
                image_size=image_size,
                dropout=dropout,
                precision=precision,
                distribute=distribute,
                keep_duplicates=keep_duplicates,
                masks=masks,
                folds=folds,
                teacher=teacher,
                unlabeled=tuple(unlabeled or ()),
                negatives=tuple(negatives or ()),
                left_out_sources=_left_out(data, leave_source_out or []),
                recipe=recipe,
            )
        if folds and distribute:
            raise BadInput("--folds: goes without --distribute")
        if teacher and distribute:
            raise BadInput("--teacher: goes without --distribute")
        if unlabeled and not teacher:
            raise BadInput("--unlabeled: only a teacher says something of such photos; --teacher")
        try:
            metrics = fine_tune(job, out)
        except tf.errors.OpError as error:
            cause = error_cause(error.message)
            raise EwasteError(f"{out}: TensorFlow failed ({cause}); see --resume") from None
        if mlflow and metrics:
            log_to_mlflow(out, metrics)
        if as_json:
            print_json(metrics)


def _left_out(data: list[Path], named: list[Path]) -> tuple[Path, ...]:
    """The datasets of --data that --leave-source-out names, by path or by folder name.

    Raises:
        BadInput: it names none of them, or all.
    """
    left_out = []
    for name in named:
        found = [each for each in data if each == name or each.name == str(name)]
        if not found:
            raise BadInput(f"--leave-source-out {name}: none of the datasets of --data")
        left_out += found
    if set(left_out) == set(data):
        raise BadInput("--leave-source-out: no dataset is left to train on")
    return tuple(dict.fromkeys(left_out))


def _given_options(context: typer.Context) -> list[str]:
    """Options of the command line that --resume excludes."""
    compatible = {"out", "resume", "as_json", "mlflow"}
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [
        name
        for name, source in sources.items()
        if name not in compatible and source is not None and source.name == "COMMANDLINE"
    ]


if __name__ == "__main__":
    typer.run(main)
