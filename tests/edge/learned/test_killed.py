"""`kill -9` at random moments of teaching and going back: one good state after each of them."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from edge.bundle.history import Standing, read_history
from edge.bundle.install import current_number
from edge.learned.crops import unpack_crops
from edge.learned.store import current_generation, roll_back, stored_generations
from tests.support.learned import JPEGS, add_learned

KILLS, LONGEST_S = 50, 0.12
SEED = 7


def change_without_end(store: Path, seed: int, ready: int) -> None:
    """Teach and go back, in a process that somebody kills."""
    chosen = random.Random(seed)
    os.write(ready, b".")
    while True:
        if current_number(store) is not None and chosen.random() < 0.3:
            roll_back(store, by="Ada")
        else:
            add_learned(store, *["Phone", "Ribbon"][: chosen.randint(0, 2)])


def killed_after(store: Path, seed: int, wait_s: float) -> None:
    heard, ready = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            change_without_end(store, seed, ready)
        finally:
            os._exit(1)
    os.read(heard, 1)
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(heard)
    os.close(ready)
    assert os.WIFSIGNALED(status), "nothing but the kill ended it"


def test_after_a_kill_at_any_moment_one_good_state_is_in_use(
    tmp_path: Path, injected: Callable[..., None]
) -> None:
    store, chosen, states, halves = tmp_path / "state/learned", random.Random(SEED), set(), 0
    add_learned(store)  # what it needs is loaded: the processes to come have it
    for kill in range(KILLS):
        killed_after(store, kill, chosen.uniform(0, LONGEST_S))
        found = current_generation(store, with_crops=True)
        if found is not None:
            labels = found.manifest.labels
            states.add(labels)
            assert unpack_crops(found) == [list(JPEGS)] * len(labels)
            assert [each.number for each in stored_generations(store) if each.in_use] == [
                found.number
            ]
        halves += len([each for each in store.glob(".*") if each.name.endswith(".new")])
    assert len(states) == 3, "the kills came after teaching and before it"
    add_learned(store, "Phone")
    assert not [each for each in store.glob(".*") if each.name.endswith(".new")]
    entries = read_history(store).entries
    on_probation = [each for each in entries if each.standing is Standing.ON_PROBATION]
    assert [each.number for each in on_probation] == [current_number(store)]
    assert len({each.number for each in entries}) == len(entries), "no number was given twice"
    injected(
        f"kill -9 while teaching and going back, {KILLS} times",
        f"one good state in use after each; {halves} half-written ones left aside",
    )
