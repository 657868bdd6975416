"""One benchmark on two commits, in turns: python benchmarks/compare.py A B --benchmark latency.

Each round runs it once on each of them, the order changing, so that load on the machine affects
both. The ratio of a figure is that of the two runs of a round.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.machine import HERE, facts
from benchmarks.rounds import Interval, order_of_turn
from edge.errors import BadInput, EwasteError
from train.command import command

ROOT = HERE.parent
CONFIDENCE = 0.95
COMPARED = r"(median_ms|cpu_ms|frame_ms|per_item_ms|seconds|cpu_s)$"
NAME = re.compile(r"[a-z_]{1,40}")
LONGEST_RUN_S = 1800.0
FEWEST_TO_EXCLUDE = 6
"""With fewer rounds no interval reaches 95 %."""


@dataclass(frozen=True)
class Comparison:
    """A figure of a benchmark on two commits.

    Attributes:
        figure: its name.
        before, after: the median of the rounds on each.
        ratio: after to before, the median of the rounds.
        low, high: the interval of the ratio.
        differs: whether the interval excludes 1.
    """

    figure: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    differs: bool


def exact_interval(values: np.ndarray) -> Interval:
    """The median of float [rounds] with its interval by the order of the values.

    It assumes nothing of their distribution, and holds for few rounds, for which that of the
    bootstrap is too narrow. Source: the interval that belongs to the sign test, Conover, "Practical
    nonparametric statistics", 1999, section 3.2. With fewer than `FEWEST_TO_EXCLUDE` values, it
    reaches from the least to the greatest, and its confidence is below 95 %.
    """
    ordered, count = np.sort(values), len(values)
    outside, beyond = 0, 0.0
    while outside < (count - 1) // 2:
        beyond += math.comb(count, outside) / 2**count
        if 2 * beyond > 1 - CONFIDENCE:
            break
        outside += 1
    cut = max(0, outside - 1)
    return Interval(float(np.median(values)), float(ordered[cut]), float(ordered[-1 - cut]))


def figures_of(answer: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in the JSON of a benchmark, each with a name made of the keys and texts above it.

    A row in a list is named by its texts and its whole numbers that are no figures themselves:
    runtime, variant, threads, stage, belt.
    """
    if isinstance(answer, bool) or answer is None or isinstance(answer, str):
        return
    if isinstance(answer, (int, float)):
        if math.isfinite(answer):
            yield name, float(answer)
        return
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield from figures_of(value, f"{name} {key}".strip())
        return
    for number, row in enumerate(answer):
        yield from figures_of(row, f"{name} {_name_of(row, number)}".strip())


def _name_of(row: Any, number: int) -> str:
    if not isinstance(row, Mapping):
        return str(number)
    texts = [value for value in row.values() if isinstance(value, str) and value]
    threads = [f"{row['threads']} threads"] if "threads" in row else []
    return ", ".join((*texts, *threads)) or str(number)


def compare(
    before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]], kind: str
) -> list[Comparison]:
    """Compare the runs of two commits, of which each has one in every round.

    Args:
        before: the figures of the runs of the first.
        after: those of the second.
        kind: a regular expression for the names of the figures that are compared.
    """
    names = [name for name in before[0] if re.search(kind, name)]
    found = []
    for name in names:
        if not all(run.get(name, 0) > 0 for run in (*before, *after)):
            continue
        one, other = (np.array([run[name] for run in runs]) for runs in (before, after))
        ratio = exact_interval(other / one)
        found.append(
            Comparison(
                figure=name,
                before=float(np.median(one)),
                after=float(np.median(other)),
                ratio=round(ratio.value, 4),
                low=round(ratio.low, 4),
                high=round(ratio.high, 4),
                differs=not ratio.low <= 1 <= ratio.high,
            )
        )
    return found


@contextmanager
def checkout(commit: str, scratch: Path) -> Iterator[Path]:
    """A worktree of a commit, which goes with the block.

    Raises:
        BadInput: there is no such commit.
    """
    tree = scratch / f"tree-{len(list(scratch.iterdir()))}"
    _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise EwasteError(f"git: cannot be run ({error.strerror}); install it") from None
    if done.returncode:
        reason = (done.stderr.strip() or "it failed").splitlines()[-1]
        raise BadInput(f"git {arguments[0]}: {reason}")
    return done.stdout.strip()


def commit_of(name: str) -> str:
    """The commit that a name stands for, in hexadecimal.

    Raises:
        BadInput: there is none.
    """
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def run_once(tree: Path, benchmark: str, options: Sequence[str]) -> dict[str, float]:
    """The figures of one run of a benchmark in a worktree.

    Raises:
        EwasteError: it fails.
    """
    script = tree / "benchmarks" / f"{benchmark}.py"
    try:
        done = subprocess.run(
            [sys.executable, str(script), *options, "--json"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            timeout=LONGEST_RUN_S,
        )
    except subprocess.TimeoutExpired:
        raise EwasteError(f"{script}: takes longer than {LONGEST_RUN_S:.0f} s") from None
    if done.returncode:
        reason = (done.stderr.strip() or "it failed").splitlines()[-1]
        raise EwasteError(f"{script}: {reason}")
    try:
        return dict(figures_of(json.loads(done.stdout)))
    except ValueError:
        raise EwasteError(f"{script}: its --json is none") from None


def measure(
    commits: tuple[str, str], benchmark: str, options: Sequence[str], rounds: int, kind: str
) -> list[Comparison]:
    """Run a benchmark on two commits in turns.

    Raises:
        BadInput: there is no such commit, or nothing to compare.
        EwasteError: the benchmark fails on one of them.
    """
    runs: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    with ExitStack() as ending:
        scratch = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="ewaste-compare-")))
        trees = [ending.enter_context(checkout(commit_of(each), scratch)) for each in commits]
        for number in range(rounds):
            for place in order_of_turn(number, 2):
                runs[place].append(run_once(trees[place], benchmark, options))
    found = compare(*runs, kind)
    if not found:
        raise BadInput(f"{benchmark}: no figure that both have is named like {kind}; give --figure")
    return found


def main(
    before: Annotated[str, typer.Argument(help="a commit")],
    after: Annotated[str, typer.Argument(help="another one, or the same")],
    *,
    benchmark: Annotated[str, typer.Option(help="name of the script, without .py")] = "latency",
    option: Annotated[
        list[str] | None, typer.Option(help="an option of it, such as --runs=40; repeatable")
    ] = None,
    rounds: Annotated[int, typer.Option(min=2, max=1000, help="runs on each commit")] = 6,
    figure: Annotated[
        str, typer.Option(help="regular expression for the figures that are compared")
    ] = COMPARED,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Compare two commits. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        if not NAME.fullmatch(benchmark) or not (HERE / f"{benchmark}.py").is_file():
            raise BadInput(f"--benchmark {benchmark}: no script of that name in benchmarks/")
        try:
            re.compile(figure)
        except re.error as error:
            raise BadInput(f"--figure {figure}: no regular expression ({error})") from None
        found = measure((before, after), benchmark, option or [], rounds, figure)
        shown = facts()
    differing = sum(each.differs for each in found)
    if as_json:
        rows = [asdict(each) for each in found]
        print(json.dumps({"rows": rows, "rounds": rounds, "differing": differing, "facts": shown}))
        return
    width = max(len(each.figure) for each in found)
    print(f"{'figure':{width}}  {'before':>9}  {'after':>9}  ratio  interval")
    for each in found:
        mark = "  differs" if each.differs else ""
        print(
            f"{each.figure:{width}}  {each.before:9.3f}  {each.after:9.3f}  {each.ratio:5.3f}  "
            f"{each.low:.3f} to {each.high:.3f}{mark}"
        )
    sure = CONFIDENCE if rounds >= FEWEST_TO_EXCLUDE else 1 - 2 ** (1 - rounds)
    print(
        f"{differing} of {len(found)} figures differ: their interval of {sure:.0%}, by {rounds} "
        f"rounds, excludes 1; by chance alone {1 - sure:.0%} of them would"
    )


if __name__ == "__main__":
    typer.run(main)
