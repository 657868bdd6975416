"""Proposals on a device, in `STATE/learned/proposals/N/`: nothing of them is in use.

`proposal.json` says what one would change and what it rests on, signed by the device's own key. A
person accepts it, which puts its generation into the store, or rejects it; `answers.json` holds who
did so, and when. What the guard refuses is kept without its files, with the reason. A number is
never given twice.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from edge.bundle.bundle import sha256
from edge.bundle.signature import check_signature, sign
from edge.errors import BadInput, EwasteError, Refused, first_problem, one_line
from edge.files import (
    give_to_owner,
    make_private_folder,
    read_bounded,
    write_whole,
)
from edge.folder_lock import folder_lock
from edge.learned.device_key import KEY_NAME, device_key, own_public_key
from edge.learned.manifest import LONGEST_WHO, LearnedManifest
from edge.learned.proposal import (
    LONGEST_REASON,
    MOST_ANSWERS,
    Decision,
    Proposal,
    ProposalAnswer,
    ProposalAnswers,
    ProposalKind,
)
from edge.learned.store import (
    MOST_FILE_BYTES,
    Generation,
    LearnedStep,
    add_generation,
    digest_in_use,
)
from edge.numbered_folders import clear, numbers, place, read_once, remove

PROPOSALS = "proposals"
"""The folder in the store of generations."""
PROPOSAL, SIGNATURE, ANSWERS = "proposal.json", "proposal.sig", "answers.json"
CONTEXT = b"ewaste-edge proposal 1\n"
"""Signed before a proposal: no signature of a generation fits, nor the other way round."""
MOST_PROPOSAL_BYTES, MOST_SIGNATURE_BYTES, MOST_ANSWERS_BYTES = 8 * 2**20, 2**12, 2**20
MOST_REFUSED = 4
"""So many of the newest that the guard refused stay; one open proposal of each kind."""
MOST_LISTED = 2 * (MOST_REFUSED + len(ProposalKind))
BUSY = "another command or the page works with the proposals; try again when it is done"


@dataclass(frozen=True)
class StoredProposal:
    """A proposal on a device.

    Attributes:
        number: its place.
        proposal: it; None: it cannot be read.
        problem: why, one line; empty: it can.
    """

    number: int
    proposal: Proposal | None
    problem: str = ""


def place_proposal(store: Path, proposal: Proposal, contents: Mapping[str, bytes]) -> int:
    """Put a proposal beside the generations, whole; it takes the place of the one before it.

    Args:
        store: the folder of the generations.
        proposal: what is proposed; the digests of its files are added here.
        contents: the `required_files` of its generation by name; of a refused one: none.

    Returns:
        Its number.

    Raises:
        BadInput: something else was learned meanwhile, or another process works with proposals.
        Refused: it is no valid proposal, or its files are too large.
        EwasteError: it cannot be written; nothing is left behind.
    """
    learned = proposal.learned
    if learned is not None:
        digests = {name: sha256(contents[name]) for name in learned.required_files}
        learned = learned.model_copy(update={"files": digests})
    content = proposal.model_copy(update={"learned": learned}).model_dump_json(indent=1).encode()
    files = {PROPOSAL: content + b"\n"}
    files |= {name: contents[name] for name in (learned.required_files if learned else ())}
    folder = store / PROPOSALS
    try:
        make_private_folder(store.parent, (store.name,))  # the state of the line
        make_private_folder(store, (PROPOSALS, KEY_NAME))
        give_to_owner(store, store.parent)
        make_private_folder(folder, (ANSWERS,))
        give_to_owner(folder, store)
        with folder_lock(folder, BUSY):
            clear(folder, ANSWERS)
            if digest_in_use(store) != proposal.parent:
                raise BadInput(f"{store}: something else was learned meanwhile; try again")
            files[SIGNATURE] = sign(device_key(store), files[PROPOSAL], CONTEXT)
            number = max([0, *numbers(folder), *(each.number for each in answers(store))]) + 1
            _place(folder, number, files)
            _prune(store, folder, proposal.base)
    except OSError as error:
        raise EwasteError(f"{folder}: cannot be written ({error.strerror})") from None
    return number


def proposals(store: Path) -> list[StoredProposal]:
    """The proposals of a device, the newest first, without the files of their generations.

    Raises:
        BadInput: they cannot be listed.
    """
    folder = store / PROPOSALS
    try:
        listed = numbers(folder)[::-1]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BadInput(f"{folder}: cannot be read ({error.strerror})") from None
    found, answered = [], {each.number for each in answers(store)}
    for number in [each for each in listed if each not in answered][:MOST_LISTED]:
        try:
            found.append(StoredProposal(number, read_proposal(store, number)))
        except EwasteError as error:
            found.append(StoredProposal(number, None, one_line(error, LONGEST_REASON)))
    return found


def read_proposal(store: Path, number: int) -> Proposal:
    """Read what a proposal is, and see that this device signed it.

    Raises:
        BadInput: there is none of this number.
        Refused: it is altered, malformed, or not signed by this device.
    """
    path = store / PROPOSALS / str(number)
    if not path.is_dir() or number in {each.number for each in answers(store)}:
        raise BadInput("there is no such proposal any more")
    content = read_once(path / PROPOSAL, MOST_PROPOSAL_BYTES, remedy=f"remove {path}")
    signature = read_once(path / SIGNATURE, MOST_SIGNATURE_BYTES, remedy=f"remove {path}")
    own = own_public_key(store)
    if not own:
        raise Refused(f"{store / KEY_NAME}: missing, so nothing says who made {path}")
    check_signature(path / SIGNATURE, content, signature, [own], context=CONTEXT)
    try:
        return Proposal.model_validate_json(json.dumps(from_json(content)))
    except ValidationError as error:
        raise Refused(f"{path / PROPOSAL}: {first_problem(error)}; remove {path}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path / PROPOSAL}: {one_line(error)}; remove {path}") from None


def accept(
    store: Path, number: int, *, base: str, by: str, now: float, bin_name: str | None = None
) -> Generation:
    """Put the generation of a proposal into use, and remember who did so.

    A kill at any moment leaves the proposal open and nothing in use, or its generation in use. The
    line takes it as any generation: proved, and on probation.

    Args:
        store: the folder of the generations.
        number: of the proposal.
        base: digest of the bundle in use.
        by: who accepts it.
        now: unix seconds.
        bin_name: where the items of a new class go; None: to `manual`.

    Raises:
        BadInput: there is no such proposal, it is refused, the bundle in use is another one, or
            something else was learned meanwhile.
        Refused: it is altered.
        EwasteError: the store cannot be written.
    """
    with _locked(store):
        proposal = read_proposal(store, number)
        learned = proposal.learned
        if learned is None:
            raise BadInput(f"the guard refuses it: {proposal.refused}")
        if proposal.base != base:
            raise BadInput(
                "it was prepared for another bundle than the one in use; wait for the next one, or "
                "run ewaste-edge learn"
            )
        if proposal.parent != digest_in_use(store):
            raise BadInput(
                "something else was learned since it was prepared; wait for the next one, or run "
                "ewaste-edge learn"
            )
        path = store / PROPOSALS / str(number)
        contents = {}
        for name, digest in learned.files.items():
            contents[name] = read_once(path / name, MOST_FILE_BYTES[name], remedy=f"remove {path}")
            if sha256(contents[name]) != digest:
                raise Refused(f"{path / name}: altered since it was prepared; reject the proposal")
        accepted = learned.model_copy(update={"by": by[:LONGEST_WHO]})
        if bin_name is not None:
            accepted = _with_bin(accepted, proposal, bin_name)
        step = LearnedStep(f"proposal {number}: {proposal.what}", by, proposal.parent, now)
        generation = add_generation(store, accepted, contents, step)
        _answer(store, number, proposal, Decision.ACCEPTED, by=by, now=now)
    return generation


def _with_bin(learned: LearnedManifest, proposal: Proposal, bin_name: str) -> LearnedManifest:
    """A generation whose new class has a bin."""
    if proposal.label not in learned.labels:
        raise BadInput("only a new class has a bin")
    classes = [
        each.model_copy(update={"bin": bin_name}) if each.label == proposal.label else each
        for each in learned.classes
    ]
    return learned.model_copy(update={"classes": tuple(classes)})


def reject(store: Path, number: int, *, by: str, now: float) -> Proposal:
    """Remove a proposal, open or refused, and remember who did so.

    Raises:
        BadInput: there is no such proposal.
        EwasteError: it cannot be removed.
    """
    with _locked(store):
        proposal = read_proposal(store, number)
        _answer(store, number, proposal, Decision.REJECTED, by=by, now=now)
    return proposal


def remove_outdated(store: Path, base: str) -> list[int]:
    """Remove what cannot be accepted any more; returns the numbers.

    That is what was prepared for another bundle or beside another generation than those in use, or
    cannot be read.

    Args:
        store: the folder of the generations.
        base: digest of the bundle in use.

    Raises:
        BadInput: another process works with the proposals.
        EwasteError: they cannot be removed.
    """
    if not (store / PROPOSALS).is_dir():
        return []
    with _locked(store):
        parent = digest_in_use(store)
        removed = [
            each.number
            for each in proposals(store)
            if each.proposal is None
            or each.proposal.base != base
            or (each.proposal.is_open and each.proposal.parent != parent)
        ]
        for number in removed:
            remove(store / PROPOSALS, number)
    return removed


def answers(store: Path) -> tuple[ProposalAnswer, ...]:
    """What persons made of proposals, the oldest first; what cannot be read is forgotten."""
    try:
        content = read_bounded(store / PROPOSALS / ANSWERS, MOST_ANSWERS_BYTES)
        return ProposalAnswers.model_validate_json(content).entries
    except (OSError, BadInput, ValueError):
        return ()


def created_at(now: float) -> datetime:
    """Unix seconds as the moment of a proposal."""
    return datetime.fromtimestamp(now, timezone.utc)


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Within: nobody else changes the proposals of a store; what cannot be written is one line."""
    folder = store / PROPOSALS
    try:
        with folder_lock(folder, BUSY):
            yield
    except OSError as error:
        raise EwasteError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _answer(
    store: Path, number: int, proposal: Proposal, decision: Decision, *, by: str, now: float
) -> None:
    """Remember an answer, then take the proposal away: a kill between leaves it answered."""
    answer = ProposalAnswer(
        number=number,
        kind=proposal.kind,
        label=proposal.label,
        base=proposal.base,
        items=proposal.items,
        decision=decision,
        by=by[:LONGEST_WHO],
        at=now,
    )
    kept = (*answers(store), answer)[-MOST_ANSWERS:]
    content = ProposalAnswers(entries=kept).model_dump_json(indent=1).encode() + b"\n"
    write_whole(store / PROPOSALS / ANSWERS, content)
    give_to_owner(store / PROPOSALS, store, (ANSWERS,))
    remove(store / PROPOSALS, number)


def _prune(store: Path, folder: Path, base: str) -> None:
    """Keep the newest open proposal of each kind, and the newest refused ones, of one bundle."""
    open_kinds: set[ProposalKind] = set()
    for number in {each.number for each in answers(store)} & set(numbers(folder)):
        remove(folder, number)  # a kill came between
    refused: set[tuple[ProposalKind, str]] = set()
    for each in proposals(store):
        found = each.proposal
        if found is None or found.base != base:
            remove(folder, each.number)
        elif found.is_open and found.kind not in open_kinds:
            open_kinds.add(found.kind)
        elif (
            not found.is_open
            and (found.kind, found.label) not in refused
            and len(refused) < MOST_REFUSED
        ):
            refused.add((found.kind, found.label))
        else:
            remove(folder, each.number)


def _place(folder: Path, number: int, files: Mapping[str, bytes]) -> None:
    """Write a proposal to its place, whole or not at all."""
    limits = {**MOST_FILE_BYTES, PROPOSAL: MOST_PROPOSAL_BYTES, SIGNATURE: MOST_SIGNATURE_BYTES}

    def check(_: Path) -> None:
        try:
            Proposal.model_validate_json(files[PROPOSAL])
        except ValidationError as error:
            raise Refused(f"{folder}: no valid proposal: {first_problem(error)}") from None

    place(folder, number, files, limits=limits, check=check)
