"""The application: every route is put in here, and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from braggbook import __version__
from braggbook.hub.api import routers as api_routers
from braggbook.hub.boards import Shelf
from braggbook.hub.desk import Desk
from braggbook.hub.errands import Errands
from braggbook.hub.operations import health, metrics
from braggbook.hub.pages import routers as page_routers
from braggbook.hub.web import problems
from braggbook.hub.web.kept import Shelves
from braggbook.hub.web.middleware import Frame
from braggbook.hub.web.rates import Rates

_STATIC = Path(__file__).parent / "static"
_ABOUT = """Challenges, boards, submissions, datasets and runs of a Braggbook hub.

Ask with a personal token: `Authorization: Bearer bb_…`. Errors say what, where, wanted, got and what to do next."""


def make_app(desk: Desk) -> FastAPI:
    """Returns the application of a hub.

    Args:
        desk: The hub's; its database has the newest schema.
    """
    app = FastAPI(
        title=desk.config.title, version=__version__, description=_ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.state.desk = desk
    app.state.boards = Shelf(desk)
    app.state.rates = Rates()
    app.state.errands = Errands(desk)
    app.state.drawn = Shelves()
    app.state.metrics = metrics.Metrics(desk)
    app.router.routes += _routes()
    problems.install(app)
    proxies = desk.config.trusted_proxies.replace(",", " ").split()
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)  # within the frame, which asks who the proxy is
    app.add_middleware(Frame, config=desk.config, observe=app.state.metrics.observe)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Returns all routes; they know nothing of a hub, and are made once for all."""
    rooms = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    rooms.mount("/static", _Static(directory=_STATIC), name="static")
    for router in (*page_routers(), health.router, metrics.router):
        rooms.include_router(router, include_in_schema=False)
    for router in api_routers():
        rooms.include_router(router, prefix="/api/v1")
    return tuple(rooms.routes)


class _Static(StaticFiles):
    """Our own files; their addresses change with what is in them."""

    def is_not_modified(self, response_headers: object, request_headers: object) -> bool:
        """Also says how long they may be kept."""
        response_headers["Cache-Control"] = "public, max-age=31536000, immutable"  # type: ignore[index]
        return super().is_not_modified(response_headers, request_headers)  # type: ignore[arg-type]
