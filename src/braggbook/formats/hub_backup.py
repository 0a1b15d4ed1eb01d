"""``backup.json``: what a backup of a hub holds. See docs/formats/hub_backup.md."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BACKUP_FORMAT: Literal["braggbook.hub_backup/1"] = "braggbook.hub_backup/1"
BACKUP_NAME = "backup.json"
ROWS_NAME = "rows.jsonl"


class BackupCard(BaseModel):
    """What a backup is, before anything of it is brought back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["braggbook.hub_backup/1"] = BACKUP_FORMAT
    braggbook: str = Field(max_length=100)
    revision: str = Field(pattern=r"^[0-9A-Za-z_]{1,32}$")  # of the schema that the rows have
    made: str = Field(max_length=40)
    rows: int = Field(ge=0)
