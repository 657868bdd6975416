"""Kill -9 while proposals are prepared and answered: one good state after each."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import BadInput
from edge.learned.proposals import PROPOSALS, accept, place_proposal, proposals, reject
from edge.learned.store import current_generation, roll_back, stored_generations
from tests.support.proposed import new_class, recalibration

KILLS, BASE = 50, "a" * 64


def work(store: Path, seed: int) -> None:
    """Prepare and answer until the process is killed."""
    dice, now = random.Random(seed), 1000.0
    while True:
        now += 1
        if current_generation(store) is None and dice.random() < 0.5:
            number = place_proposal(store, *new_class(store, BASE, f"Toy {seed}"))
        else:
            number = place_proposal(store, recalibration(store, BASE), {})
        if dice.random() < 0.5:
            accept(store, number, base=BASE, by="anna", now=now)
        else:
            reject(store, number, by="anna", now=now)
        if current_generation(store) is not None and dice.random() < 0.6:
            roll_back(store, by="anna", now=now)


def test_fifty_kills_leave_no_half_proposal(tmp_path: Path, injected: Callable[..., None]) -> None:
    store, dice = tmp_path / "state" / "learned", random.Random(7)
    left_open = 0
    # What it needs is loaded here: the processes to come have it.
    reject(store, place_proposal(store, recalibration(store, BASE), {}), by="ben", now=1.0)
    for kill in range(KILLS):
        child = os.fork()
        if child == 0:
            try:
                work(store, kill)
            finally:
                os._exit(1)
        time.sleep(dice.uniform(0.01, 0.25))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it was at work until it was killed"
        found = proposals(store)
        assert [each.problem for each in found if each.problem] == []
        current = current_generation(store)
        assert current is None or current.manifest.base == BASE
        assert [each.problem for each in stored_generations(store) if each.problem] == []
        for each in found:
            left_open += 1
            try:
                accept(store, each.number, base=BASE, by="ben", now=1.0)
            except BadInput as error:
                assert "something else was learned since" in str(error)
                reject(store, each.number, by="ben", now=1.0)
        if current_generation(store) is not None:
            roll_back(store, by="ben", now=2.0)
    number = place_proposal(store, recalibration(store, BASE), {})
    assert left_open > 5 and number > 10
    names = {each.name for each in (store / PROPOSALS).iterdir()}
    assert names == {str(number), "answers.json"}, "nothing is left of what was cut off"
    injected(
        f"kill -9 while proposals are prepared and answered, {KILLS} times",
        f"no half proposal; {left_open} of them open, and answered afterwards",
    )
