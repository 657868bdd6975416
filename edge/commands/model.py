"""Commands around the model: classify, select-runtime."""

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge.bundle.trial_process import start_ahead
from edge.commands.options import PATH, AsJson, BundleDir, ConfigFile, StateDir
from edge.commands.printing import warn_all
from edge.commands.settings import read_settings
from edge.errors import BadInput
from edge.terminal import out

log = logging.getLogger(__name__)


def classify(
    images: Annotated[list[Path], typer.Argument(**PATH, help="image files to classify")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what is on pictures. An unreadable one is named and skipped."""
    start_ahead()  # beside the imports below
    from edge.config import name_notes, proved_bundle
    from edge.decision.decide import decide
    from edge.loading import loaded
    from edge.photos.reading import count_unreadable, read_photo

    settings = read_settings(config, bundle=bundle)
    proved = proved_bundle(settings)
    in_use = loaded(settings, proved)
    classifier, rules = in_use.decider.classifier, in_use.decider.rules
    warn_all([*name_notes(settings, proved[0]), *filter(None, [in_use.unused])])
    answers, unreadable = {}, 0
    for path in images:
        try:
            prediction = classifier.predict(read_photo(path))
        except BadInput as error:
            log.warning("skipped %s", error)
            unreadable += 1
            continue
        verdict = decide([prediction], rules)
        probabilities = dict(zip(rules.labels, prediction.probabilities.tolist(), strict=True))
        answers[str(path)] = {**asdict(verdict), "probabilities": probabilities}
        if not as_json:
            top = sorted(probabilities.items(), key=lambda pair: -pair[1])[:3]
            listed = ", ".join(f"{label} {share:.1%}" for label, share in top)
            out.print(f"{path}: {verdict.label} -> {verdict.bin} ({listed})")
    if not answers:
        raise BadInput("none of the images could be read")
    if unreadable:
        log.warning(count_unreadable(unreadable, len(images)))
    if as_json:
        out.print(json.dumps(answers))


def select_runtime(
    *,
    bundle: BundleDir = None,
    config: ConfigFile = None,
    state: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Try the installed runtimes and their threads here, and let lines use the quickest proven."""
    from edge.bundle.bundle import load_bundle
    from edge.folder_lock import is_locked
    from edge.runtimes.report import answer, lines
    from edge.runtimes.selecting import keep, select

    settings = read_settings(config, bundle=bundle, state=state)
    given = settings.classifier
    loaded = load_bundle(settings.bundle, settings.trust.keys)
    if is_locked(settings.state_folder):
        log.warning("a line runs beside this: the times are of what it leaves")
    found = select(
        loaded,
        threads=given.given_threads,
        delegate=given.backend.delegate,
        clock=time.perf_counter,
    )
    if as_json:
        out.print(json.dumps(answer(found)))
    for line in () if as_json else lines(found):
        out.print(line)
    kept = keep(found, loaded, settings.runtime_file, time.time())
    if not as_json:
        out.print(f"{settings.runtime_file}: {kept.runtime}, {kept.threads} threads")
