"""Names that the deposit API gives to fields which InvenioRDM keeps in groups."""

from __future__ import annotations

TEXTS = ("title", "description", "version")
_JOURNAL = {f"journal_{name}": name for name in ("title", "volume", "issue", "pages")}
_MEETING = {
    f"conference_{name}": name for name in ("title", "acronym", "dates", "place", "url", "session", "session_part")
}
_IMPRINT = {"partof_title": "title", "partof_pages": "pages", "imprint_isbn": "isbn", "imprint_place": "place"}
GROUPS = {"journal:journal": _JOURNAL, "meeting:meeting": _MEETING, "imprint:imprint": _IMPRINT}
THESIS = "thesis:university"
COMMUNITIES, SUBJECTS = "legacy:communities", "legacy:subjects"
