"""What the panel may ask for that takes long: run, verify, plan, push, mint, try and hand in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from braggbook.errors import InputError
from braggbook.formats.common import issues_from

_Text = Annotated[str, Field(max_length=2000)]
_RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
_Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: _Text  # of the open notebook, as JupyterLab names it


class RunOrder(_Order):
    """Execute the notebook with these values."""

    kind: Literal["run"]
    values: dict[str, Any]
    seed: Annotated[int, Field(ge=0)] = 0
    force: bool = False


class VerifyOrder(_Order):
    """Repeat a run from its record alone."""

    kind: Literal["verify"]
    run: _RunId


class PlanOrder(_Order):
    """Show what would be sent of a run."""

    kind: Literal["plan"]
    run: _RunId
    to: _Text = "folder"


class SendOrder(_Order):
    """Send a run as a draft, or publish its draft: exactly the plan that was shown, and no other."""

    kind: Literal["push", "mint"]
    run: _RunId
    to: _Text = "folder"
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    token: Annotated[str, Field(max_length=500, repr=False)] = ""


class HandInOrder(_Order):
    """Try a file on a challenge's public twin, or hand it in: to the vault of this machine, or to a hub."""

    kind: Literal["try", "submit"]
    challenge: _Slug
    file: _Text
    phase: _Text = ""
    team: _Text = ""
    title: _Text = ""
    accepted: bool = False
    hub: _Text = ""
    token: Annotated[str, Field(max_length=500, repr=False)] = ""


Order = Annotated[RunOrder | VerifyOrder | PlanOrder | SendOrder | HandInOrder, Field(discriminator="kind")]
_adapter: TypeAdapter[Any] = TypeAdapter(Order)


def read_order(data: Any) -> RunOrder | VerifyOrder | PlanOrder | SendOrder | HandInOrder:
    """Returns what a browser asks for.

    Raises:
        InputError: It is no order; what is wrong is listed, and no token is repeated.
    """
    try:
        return _adapter.validate_python(data)  # type: ignore[no-any-return]
    except ValidationError as error:
        found = [issue for issue in issues_from(error, where="order") if "token" not in issue.where]
        raise InputError("not something that the panel can ask for", issues=found) from None
