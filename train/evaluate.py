"""Evaluate a run or a bundle: python train/evaluate.py --model RUN|BUNDLE --data DIR --out DIR."""

from pathlib import Path
from typing import Annotated

import typer

from train.command import command, print_json
from train.evaluation.options import EvaluationRequest
from train.options import Masks


def main(
    *,
    model: Annotated[Path, typer.Option(help="run or bundle directory")],
    data: Annotated[Path, typer.Option(help="dataset folder with a subfolder per split")],
    out: Annotated[Path, typer.Option(help="folder for evaluate.json and report.html")],
    split: Annotated[
        list[str] | None, typer.Option(help="split to evaluate on, by default test; repeatable")
    ] = None,
    unknown: Annotated[
        Path | None, typer.Option(help="folder CATEGORY/* of out-of-distribution photos")
    ] = None,
    out_of_source: Annotated[
        list[Path] | None,
        typer.Option(help="dataset of other people's photos to evaluate on as well; repeatable"),
    ] = None,
    leaked: Annotated[
        Path | None, typer.Option(help="file that lists photos seen in training, one per line")
    ] = None,
    corruption_photos: Annotated[
        int, typer.Option(min=0, help="number of photos to corrupt, balanced over the classes")
    ] = 300,
    background: Annotated[bool, typer.Option(help="paste items on other backgrounds")] = True,
    masks: Masks = None,
    threads: Annotated[int, typer.Option(min=1, help="threads of the TFLite runtime")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="print figures as JSON")] = False,
) -> None:
    """Evaluate a run or a bundle. Exit codes: 0 done, 1 failed, 2 bad input, 3 bundle refused."""
    request = EvaluationRequest(
        model=model,
        data=data,
        splits=tuple(split or ("test",)),
        unknown=unknown,
        sources=tuple(out_of_source or ()),
        leaked=leaked,
        corruption_photos=corruption_photos,
        background=background,
        masks=masks,
        threads=threads,
    )
    with command(out):
        from train.evaluation.evaluate import evaluate, log_summary, write_evaluation

        figures, report = evaluate(request)
        write_evaluation(out, figures, report)
        log_summary(figures, out)
        if as_json:
            print_json(figures)


if __name__ == "__main__":
    typer.run(main)
