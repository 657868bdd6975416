"""How good the verdicts are, measured on the items that a person has reviewed.

The random share is the fair sample: it is drawn from the items that the model was sure of, whatever
they look like. What was chosen for a doubt is harder than the rest, so it is counted apart.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.intervals import trials_for_width, wilson
from edge.labels import UNKNOWN
from edge.records.review import SAMPLE
from edge.records.search import REVIEWED, Found, hint, read_found
from edge.records.store import Store

MOST_CELLS = 20_000
MOST_BUNDLES = 20


@dataclass(frozen=True, order=True)
class Answer:
    """What a person takes an item for. Classes come before what is none.

    Attributes:
        no_class: why it has no class; empty: it has one.
        label: its class; empty: it has none.
    """

    no_class: str
    label: str


@dataclass(frozen=True)
class Share:
    """How many of the items counted are right.

    Attributes:
        right: number of items whose label a person confirmed.
        total: number of items.
    """

    right: int = 0
    total: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson interval of the share, 95 %."""
        return wilson(self.right, self.total)

    def more_for(self, width: float) -> int:
        """Return how many more reviewed items would narrow the interval to a width, 0 to 1."""
        return trials_for_width(self.right, self.total, width) - self.total


@dataclass(frozen=True)
class Measured:
    """The reviewed items of one kind.

    Attributes:
        cells: (answer of a person, label of the model) -> number of items. An item that the model
            left unknown counts as not right.
    """

    cells: Mapping[tuple[Answer, str], int] = field(default_factory=dict)

    @property
    def accuracy(self) -> Share:
        """The share of the items whose label is right."""
        right = sum(n for (answer, label), n in self.cells.items() if answer.label == label)
        return Share(right, sum(self.cells.values()))

    def recall(self) -> dict[Answer, Share]:
        """For each answer of a person, the share of those items that the model labeled so."""
        totals: Counter[Answer] = Counter()
        right: Counter[Answer] = Counter()
        for (answer, label), n in self.cells.items():
            totals[answer] += n
            right[answer] += n if answer.label == label else 0
        return {answer: Share(right[answer], totals[answer]) for answer in sorted(totals)}


def measured(store: Store, bundle: str | None = None) -> tuple[Measured, Measured]:
    """Count the reviewed items: those of the random share, and all others.

    Args:
        store: the open file.
        bundle: digest of the bundle that decided; None: any.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    query = (
        f"SELECT review = ?, label, reviewed, no_class, COUNT(*) FROM items "
        f"{hint(store, 'items_reviewed')} WHERE {REVIEWED} {_of(bundle)} "
        "GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT ?"
    )
    values = [SAMPLE, *([bundle] if bundle is not None else []), MOST_CELLS]
    counted: tuple[Counter[tuple[Answer, str]], ...] = (Counter(), Counter())
    for is_sample, label, reviewed, no_class, count in store.read(query, *values):
        answer = Answer("" if reviewed else str(no_class), str(reviewed))
        counted[0 if is_sample else 1][answer, str(label)] += int(count)
    return Measured(counted[0]), Measured(counted[1])


def _of(bundle: str | None) -> str:
    return "" if bundle is None else "AND bundle = ?"


def looks_wrong(store: Store, bundle: str | None = None, *, count: int) -> list[Found]:
    """Read the reviewed items whose answer disagrees with the model, the surest verdict first.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    query = (
        f"SELECT sequence FROM items {hint(store, 'items_reviewed')} WHERE {REVIEWED} "
        f"AND label <> ? AND label <> reviewed {_of(bundle)} "
        "ORDER BY confidence DESC, sequence DESC LIMIT ?"
    )
    values = [UNKNOWN, *([bundle] if bundle is not None else []), count]
    return read_found(store, [int(row[0]) for row in store.read(query, *values)])


def bundles(store: Store) -> list[str]:
    """Return the digests of the bundles that decided on reviewed items, and of the newest item.

    That of the newest item is the first.
    """
    newest = store.read("SELECT bundle FROM items ORDER BY sequence DESC LIMIT 1")
    query = (
        f"SELECT DISTINCT bundle FROM items {hint(store, 'items_reviewed')} WHERE {REVIEWED} "
        "ORDER BY bundle LIMIT ?"
    )
    found = [*newest, *store.read(query, MOST_BUNDLES)]
    return list(dict.fromkeys(str(row[0]) for row in found))
