"""Whether what a sentence says comes true."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.prompts import PromptFigures, RequestFigures, lexicon_of, prompt_figures, request_figures
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "Sentences say some facts of moments of held-out levels: ground and where it lies, creatures, time of day, "
    "needs, things. A scene is drawn from each and read again: the share of all facts said that are so there. In "
    "unseen combinations two of the facts were never said together in training, in unseen paraphrases every part "
    "is worded as it never was. Unprompted are scenes drawn without text. The scene that is taken is the best of "
    "eight, by the facts that were read; first is the first of them. Frame is read off the frame that the world "
    "shows of the scene, by the world's own read-out."
)

_TITLES = {"known": "known", "combinations": "unseen combinations", "paraphrases": "unseen paraphrases"}


def run(suite: Suite) -> Section:
    """Measures prompts and events.

    Raises:
      DatasetError: the world has no words, or the recording none of its structure.
    """
    words = suite.words
    if words is None:
        raise DatasetError(f"The world '{suite.name}' has learned no words.")
    lexicon = lexicon_of(suite.dataset)
    prompts = 64 if suite.quick else 256
    with suite.report("drawing scenes of prompts", "kinds") as progress:
        found = prompt_figures(
            words, lexicon, suite.dataset, prompts=prompts, seed=suite.seed, sight=suite.sight, progress=progress
        )
    events = request_figures(words, lexicon, seed=suite.seed)
    figures = {name: dataclasses.asdict(each) for name, each in found.items()} | {"events": dataclasses.asdict(events)}
    return Section(
        name="prompts",
        title="Prompts",
        about=_ABOUT,
        figures=figures,
        tables=(_prompts(found), _events(events)),
    )


def _prompts(found: dict[str, PromptFigures]) -> Table:
    rows = tuple(
        (
            _TITLES[name],
            *(cell(each) for each in (one.understood, one.precision, one.scene, one.first, one.frame, one.unprompted)),
            str(one.prompts),
        )
        for name, one in found.items()
    )
    return Table(
        title="Share of the facts said that are so",
        columns=("prompts", "understood", "precision", "scene", "first", "frame", "unprompted", "number"),
        rows=rows,
        notes=("Precision: share of the facts read that are so at the moment which the sentence was said of.",),
    )


def _events(found: RequestFigures) -> Table:
    return Table(
        title="Sentences of events",
        columns=("wordings", "right"),
        rows=(
            ("known", f"{found.known:.3f}"),
            ("unseen paraphrases", f"{found.paraphrases:.3f}"),
            ("of things that the world has not: refused", f"{found.refused:.3f}"),
        ),
    )
