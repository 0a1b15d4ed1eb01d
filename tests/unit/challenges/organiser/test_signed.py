"""What is signed stays signed when formats grow."""

from __future__ import annotations

from pathlib import Path

from braggbook.challenges.signing import new_key, sign, verify_signature
from braggbook.formats.submission import Receipt

FACTS = {
    "submission": "0" * 16, "evaluation": "1" * 16, "challenge": "signals", "phase": "final", "team": "One",
    "received": "2027-03-01T12:00:00+00:00", "evaluated": "2027-03-01T12:00:01+00:00", "verdict": "refused",
    "charged": False, "files": {},
}  # fmt: skip


class Later(Receipt):
    """A receipt as a later release may have it."""

    more: str | None = None


def test_a_signature_outlasts_new_fields_with_defaults(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key.pem")
    made = Receipt.model_validate(FACTS)
    signed = made.signed(sign(tmp_path / "key.pem", made.message))
    read = Later.model_validate(signed.model_dump(mode="json"))
    assert verify_signature(key, read.message, read.signature)
    assert not verify_signature(key, read.model_copy(update={"more": "said"}).message, read.signature)


def test_every_field_that_is_said_is_signed(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key.pem")
    made = Receipt.model_validate({**FACTS, "left": 3, "next": "this"})
    signature = sign(tmp_path / "key.pem", made.message)
    for change in ({"left": 2}, {"left": None}, {"next": ""}, {"team": "Two"}, {"charged": True}):
        assert not verify_signature(key, made.model_copy(update=change).message, signature)
