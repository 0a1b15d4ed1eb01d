"""Tutorial 8: running, verifying, publishing and entering a challenge.

What the commands say is in docs/formats/run.md (the id), docs/explain/reproducibility.md (verdicts and tolerance),
docs/how-to/publish.md, docs/how-to/submit.md and docs/formats/challenge.md (who is charged).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from braggbook.learn import Choice, Function, Invariant, Lesson, Number, Several, Slip, Text

_DOI = r"10\.5072/braggbook\.[0-9a-z]+\.[0-9]+"  # of a folder archive: an old prefix for tests, registered nowhere
_QUOTA = 5  # submissions that the new challenge allows


def _allowed(recorded: float, rtol: float, atol: float) -> float:
    return atol + rtol * abs(recorded)


def _result(random: Random) -> dict[str, float]:
    """A negative result, in whose tolerance both parts count and the absolute one is the larger."""
    recorded, rtol = -random.uniform(5.0, 500.0), random.uniform(1e-4, 1e-2)
    return {"recorded": recorded, "rtol": rtol, "atol": random.uniform(1.3, 3.0) * rtol * abs(recorded)}


def _at_zero(function: Callable[..., Any], random: Random) -> bool:
    drawn = _result(random) | {"recorded": 0.0}
    return abs(float(function(**drawn)) - drawn["atol"]) < 1e-12


def _sign_does_not_matter(function: Callable[..., Any], random: Random) -> bool:
    drawn = _result(random)
    positive = drawn | {"recorded": -drawn["recorded"]}
    return abs(float(function(**drawn)) - float(function(**positive))) < 1e-9


_AGAIN = Choice(
    "q1",
    asks="The very same command again: the same notebook, the same parameters, nothing changed. What happens?",
    options={
        "a": "it is executed again, and a second folder lies beside the first",
        "b": "it is executed again, and the first folder is overwritten",
        "c": "it is answered from the folder at once, with the same id",
        "d": "it is refused, because this run exists already",
    },
    right="c",
    slips={
        "a": "The folder is named by a digest of what goes into a run. The same input gives the same name: there is no "
        "room for a second one.",
        "b": "A run is never overwritten: somebody may have verified or published it. `--force` executes again, if you "
        "ask.",
        "d": "It is not refused: asking twice is no mistake. But there is nothing left to compute.",
    },
    because="The id is a digest of everything that goes in. Same id, same run: so the answer is there already.",
    hints=(
        "Where does the name of the folder come from?",
        "id = digest of (notebook, parameters, datasets, kernel's lock, Python, Braggbook, seed).",
        'braggbook("run", "cell_survival")',
    ),
    read="the cell on the run's folder",
)

_IDENTITY = Several(
    "q2",
    asks="Which of these give a run another id?",
    options={
        "a": "another value of a parameter",
        "b": "the same dose written as 400 cGy instead of 4 Gy",
        "c": "another line in a code cell",
        "d": "a mended sentence in a text cell",
        "e": "another day, on another computer",
        "f": "another version of NumPy in the kernel's lock",
        "g": "another seed",
    },
    right="acfg",
    slips={
        "a": "Look at a again: a parameter's value is the first thing that one varies.",
        "b": "Look at b again: 400 cGy are 4 Gy. The value is converted before it goes into the digest.",
        "c": "Look at c again: code is what computes the number.",
        "d": "Look at d again: prose computes nothing, so that a spelling mistake can be mended without a new run.",
        "e": "Look at e again: if day and computer were in it, nobody else could ever get your id.",
        "f": "Look at f again: the lock fixes every package at its version, because a version can move a number.",
        "g": "Look at g again: other random numbers, other results.",
    },
    because="In it is what can move a number. Not in it is what must not: day, computer, user, prose, engine.",
    hints=(
        "For each: could it change a result? And would somebody else, repeating you, have the same?",
        "id = digest of (front matter and code, parameter values, datasets, kernel's lock, Python, Braggbook, seed).",
        'answer = "..."  # letters, as in "ab"',
    ),
    read="the cells on ids and diff",
)

_CHANGED = Choice(
    "q3",
    asks="In a copy of the run somebody changes the last digit of one number in results.json. What does verify say?",
    options={
        "a": "identical: the notebook still gives what it gave",
        "b": "within tolerance: the change is smaller than the tolerance",
        "c": "drifted: a file is not the one that was recorded",
        "d": "not verifiable: the run is broken",
    },
    right="c",
    slips={
        "a": "The notebook does. But the record is no longer the one that was made: the digest of each file is "
        "compared too.",
        "b": "The tolerance is for numbers that a repetition gives. A file of the record has to be the same to the "
        "byte.",
        "d": "Nothing is missing: all can be read and repeated. Not verifiable is only what cannot be compared at all.",
    },
    because="The number would pass. The record does not: a changed file counts, even when all results come out the "
    "same.",
    hints=(
        "verify does two things. One is to run the notebook again. What does it do with the files of the record?",
        "Digest of every file first, then each result against its repetition. The worst finding is the verdict.",
        'said = braggbook("verify", str(changed))',
    ),
    read="the cells on verify",
)

_CODE = Number(
    "q4",
    asks="Exit code of verify for the changed copy",
    expected=1,
    unit="1",
    rtol=0.0,
    slips=(
        Slip(
            value=0,
            says="0 means done, and nothing found: identical, or within tolerance. A script would take the changed "
            "record for good.",
            name="0: nothing found",
        ),
        Slip(
            value=3,
            says="3 means not verifiable, or a notebook that failed. Here everything could be compared, and something "
            "differed.",
            name="3: not verifiable",
        ),
        Slip(
            value=2,
            says="2 means that the command itself was typed wrongly. verify did its work here, and found something.",
            name="2: usage",
        ),
        Slip(
            value=4,
            says="4 means that disk, network or an archive failed, so that there is no verdict. Here there is one.",
            name="4: disk or network",
        ),
    ),
    because="0 done, 1 findings, 2 usage, 3 failed or not verifiable, 4 disk or network: so a script can tell them "
    "apart.",
    hints=(
        "The command's end says more than its text: every program ends with a number.",
        "Exit codes: 0 done; 1 findings; 2 usage; 3 failed or not verifiable; 4 disk, network or archive.",
        "answer = said.returncode",
    ),
    read="the cells on verify",
)

_TOLERANCE = Function(
    "q5",
    asks="allowed(recorded, rtol, atol): the largest difference of a repeated number that still counts as the same",
    reference=_allowed,
    draw=_result,
    slips=(
        Slip(
            value=lambda recorded, rtol, atol: rtol * abs(recorded) + 0 * atol,
            says="The absolute part is missing. Without it a result of 0 could never be repeated within tolerance.",
            name="atol missing",
        ),
        Slip(
            value=lambda recorded, rtol, atol: atol + rtol * recorded,
            says="The sign of the recorded number counts in your function. A negative result has a tolerance as large "
            "as a positive one.",
            name="no absolute value",
        ),
        Slip(
            value=lambda recorded, rtol, atol: max(atol, rtol * abs(recorded)),
            says="This is the larger of the two parts. They are added (as NumPy's allclose does, too).",
            name="larger of the two",
        ),
        Slip(
            value=lambda recorded, rtol, atol: atol + rtol + 0 * recorded,
            says="rtol is relative: it is a part of the recorded number, so multiply the two.",
            name="rtol not multiplied",
        ),
    ),
    invariants=(
        Invariant(
            says="For a recorded 0 your function does not give the absolute tolerance. A part of 0 is 0: what is left "
            "is atol.",
            holds=_at_zero,
            name="wrong at 0",
        ),
        Invariant(
            says="A positive and a negative result of the same size have another tolerance in your function.",
            holds=_sign_does_not_matter,
            name="sign counts",
        ),
    ),
    because="The recorded number sets the scale, never the repeated one: the record is what was promised.",
    hints=(
        "One part is the same for every number, one grows with the size of the number.",
        "|b - a| <= atol + rtol |a|, with a the recorded number.",
        "return atol + rtol * abs(...)",
    ),
    read="the cell on the tolerance",
)

_WORD = Text(
    "q6",
    asks="Recorded 0.186374, repeated 0.186375, rtol 1e-6, atol 1e-12. The verdict, in its own word or words?",
    right=("drifted",),
    wanted="one of verify's verdicts",
    slips={
        "within tolerance": "The difference is 1e-6, and so is rtol. But rtol is relative: it allows 1e-6 of 0.186, "
        "which is five times less.",
        "identical": "They differ in the sixth digit. Identical is the same to the last digit of the computer's "
        "number.",
        "not verifiable": "Both numbers are there and can be compared. That verdict is for what cannot be.",
    },
    because="Allowed are 1.9e-7, the difference is 1e-6. Too strict? Then declare the tolerance in the notebook, with "
    "a reason, before the run.",
    hints=(
        "How large a difference does the tolerance allow? Your function from above tells.",
        "identical: no difference; within tolerance: |b - a| <= atol + rtol |a|; drifted: more.",
        "print(0.186375 - 0.186374, allowed(0.186374, 1e-6, 1e-12))",
    ),
    read="the cell on the tolerance",
)

_DRAFT = Choice(
    "q7",
    asks="The plan looked good, the draft is pushed. Now you see that an author is missing. What do you do?",
    options={
        "a": "mint, and correct the record afterwards",
        "b": "give up the draft, mend the notebook, run, plan and push again",
        "c": "mint, and delete the record",
        "d": "edit the draft's files by hand, then mint",
    },
    right="b",
    slips={
        "a": "A published record is never changed, so that whoever cited it finds what they cited. Only a new version "
        "can follow.",
        "c": "Mint cannot be undone: an identifier that was given away stays given away. A draft, however, can be "
        "thrown away.",
        "d": "Then the draft is not the run any more: authors stand in the notebook, and its digests would not fit. "
        "Mend the source.",
    },
    because="That is what the steps are for: plan shows, push can be undone, mint cannot.",
    hints=(
        "Which of plan, push and mint can be undone, and which cannot?",
        "plan sends nothing; push makes a draft that only you see; mint is for ever.",
        'answer = "..."  # "a", "b", "c" or "d"',
    ),
    read="the cells on publishing",
)

_IDENTIFIER = Text(
    "q8",
    asks="The identifier of the record that you have just published",
    right=lambda text: re.fullmatch(_DOI, text) is not None,
    shape=_DOI,
    wanted="the identifier that mint printed, as in 10.5072/braggbook.k3v9p2.6",
    because="Identifiers of a folder archive begin with 10.5072, an old prefix for tests. They lead somewhere only "
    "together with that folder; a real archive registers a DOI that leads there from everywhere.",
    hints=(
        "Look at what mint said, in the line that begins with 'published'.",
        "10.5072/braggbook. and two more parts: one for the archive, one for the record.",
        'answer = re.search(r"10.5072/\\S+", minted.stdout).group()',
    ),
    read="the cells on publishing",
)

_NAN = Choice(
    "q9",
    asks="In a submission with five cases one prediction is NaN (not a number). What happens?",
    options={
        "a": "the score is the mean of the other four",
        "b": "the case counts as 0",
        "c": "it is refused with a message that says where, and nothing is used up",
        "d": "it gets the worst score",
    },
    right="c",
    slips={
        "a": "Then leaving out difficult cases would make a method better. Each case counts for every team.",
        "b": "0 is a number, perhaps even a good prediction. Nothing is guessed in a team's name.",
        "d": "It is not scored at all. Most often NaN is a slip of the program, and the team wants to know, not to be "
        "punished.",
    },
    because="Refused with file, row and column, before any score: by `challenge try` on your machine, and by the same "
    "check where it is handed in.",
    hints=(
        "Would it be fair to the other teams if the case were left out?",
        "Predictions are checked before they are scored: every case once, every number a number.",
        'braggbook("challenge", "try", "signals", bad)',
    ),
    read="the cell on trying a submission",
)

_LEFT = Number(
    "q10",
    asks="A team may submit five times. It sends one file that is scored, then one that is refused. How many "
    "submissions are left?",
    expected=_QUOTA - 1,
    unit="1",
    rtol=0.0,
    slips=(
        Slip(
            value=_QUOTA - 2,
            says="You charged the refused one as well. It got no score, so it told nothing about the truth: it is "
            "free.",
            name="refused one charged",
        ),
        Slip(
            value=_QUOTA,
            says="You charged nothing. The first one got a score, and every score tells something about the hidden "
            "truth: that is what a quota limits.",
            name="nothing charged",
        ),
        Slip(
            value=1,
            says="That is how many were charged. The question is how many are left.",
            name="charged, not left",
        ),
    ),
    because="A quota limits how much one can learn about the hidden truth. Who learns nothing pays nothing.",
    hints=(
        "What does a quota protect? Which of the two files has touched it?",
        "left = quota - submissions that were scored (or failed by the team's own fault).",
        "answer = 5 - ...",
    ),
    read="the cells on the challenge",
)

LESSON = Lesson(
    title="Run, verify, publish, and enter a challenge",
    minutes=55,
    goals=(
        "run an experiment, and say what its id stands for",
        "verify a run, and tell identical, within tolerance, drifted and not verifiable apart",
        "publish a run in three steps, and say which of them cannot be undone",
        "enter a challenge, and say what is refused, what is charged and what its board shows",
    ),
    questions=(_AGAIN, _IDENTITY, _CHANGED, _CODE, _TOLERANCE, _WORD, _DRAFT, _IDENTIFIER, _NAN, _LEFT),
)
