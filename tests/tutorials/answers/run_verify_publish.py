"""Tutorial 8: answers that must pass, and wrong ones with a piece of the message that each must get."""


def _answer(question: str, code: str) -> str:
    return f'answer = {code}\nbb.learn.check("{question}", answer)'


def _allowed(value: str) -> str:
    return f'def allowed(recorded, rtol, atol):\n    return {value}\n\n\nbb.learn.check("q5", allowed)'


SOLUTION = {
    "q1": _answer("q1", '"c"'),
    "q2": _answer("q2", '"acfg"'),
    "q3": _answer("q3", '"c"'),
    "q4": _answer("q4", "said.returncode"),
    "q5": _allowed("atol + rtol * abs(recorded)"),
    "q6": _answer("q6", '"drifted"'),
    "q7": _answer("q7", '"b"'),
    "q8": _answer("q8", 're.search(r"10\\.5072/\\S+", minted.stdout).group()'),
    "q9": _answer("q9", '"c"'),
    "q10": _answer("q10", "4"),
}

WRONG = {
    "q1": [
        (_answer("q1", '"a"'), "no room for a second one"),
        (_answer("q1", '"b"'), "never overwritten"),
        (_answer("q1", '"d"'), "asking twice is no mistake"),
    ],
    "q2": [
        (_answer("q2", '"cfg"'), "Look at a again"),
        (_answer("q2", '"abcfg"'), "Look at b again"),
        (_answer("q2", '"afg"'), "Look at c again"),
        (_answer("q2", '"acdfg"'), "Look at d again"),
        (_answer("q2", '"acefg"'), "Look at e again"),
        (_answer("q2", '"acg"'), "Look at f again"),
        (_answer("q2", '"acf"'), "Look at g again"),
    ],
    "q3": [
        (_answer("q3", '"a"'), "The notebook does"),
        (_answer("q3", '"b"'), "the same to the byte"),
        (_answer("q3", '"d"'), "Nothing is missing"),
    ],
    "q4": [
        (_answer("q4", "verified.returncode"), "0 means done"),
        (_answer("q4", "3"), "3 means not verifiable"),
        (_answer("q4", "2"), "typed wrongly"),
        (_answer("q4", "4"), "disk, network or an archive"),
        (_answer("q4", '"drifted"'), "leave off the quotes"),
    ],
    "q5": [
        (_allowed("rtol * abs(recorded)"), "absolute part is missing"),
        (_allowed("atol + rtol * recorded"), "The sign of the recorded number"),
        (_allowed("max(atol, rtol * abs(recorded))"), "larger of the two parts"),
        (_allowed("atol + rtol"), "rtol is relative"),
        (_allowed("atol - rtol * recorded"), "A positive and a negative result"),
    ],
    "q6": [
        (_answer("q6", '"within tolerance"'), "five times less"),
        (_answer("q6", '"identical"'), "sixth digit"),
        (_answer("q6", '"not verifiable"'), "can be compared"),
        (_answer("q6", "1"), "in quotes"),
    ],
    "q7": [
        (_answer("q7", '"a"'), "never changed"),
        (_answer("q7", '"c"'), "cannot be undone"),
        (_answer("q7", '"d"'), "not the run any more"),
    ],
    "q8": [
        (_answer("q8", "second_run"), "form that is asked for"),
        (_answer("q8", "minted.returncode"), "of type int"),
        (_answer("q8", '""'), "empty"),
    ],
    "q9": [
        (_answer("q9", '"a"'), "difficult cases"),
        (_answer("q9", '"b"'), "0 is a number"),
        (_answer("q9", '"d"'), "not scored at all"),
    ],
    "q10": [
        (_answer("q10", "3"), "the refused one"),
        (_answer("q10", "5"), "charged nothing"),
        (_answer("q10", "1"), "how many are left"),
        (_answer("q10", "[4, 3]"), "an array"),
    ],
}
