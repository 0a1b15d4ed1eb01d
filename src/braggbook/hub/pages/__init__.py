"""What people see, one file per noun."""

from fastapi import APIRouter

from braggbook.hub.pages import (
    account,
    board,
    challenges,
    datasets,
    organise,
    runs,
    sign_in,
    submissions,
    submit,
    teams,
)


def routers() -> list[APIRouter]:
    """Returns the routes of all pages."""
    rooms = (challenges, board, submit, submissions, organise, datasets, runs, sign_in, account, teams)
    return [room.router for room in rooms]
