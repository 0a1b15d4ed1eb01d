"""What programs ask, as JSON."""

from fastapi import APIRouter

from braggbook.hub.api import challenges, datasets, organise, runs, submissions


def routers() -> list[APIRouter]:
    """Returns the routes of the API."""
    return [room.router for room in (challenges, submissions, organise, datasets, runs)]
