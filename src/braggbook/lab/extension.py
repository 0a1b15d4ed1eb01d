"""The extension of jupyter-server: it adds the panel's addresses to the server that it is loaded into."""

from __future__ import annotations

from typing import Any

from braggbook.lab.handlers import routes
from braggbook.lab.jobs import Jobs
from braggbook.lab.places import places_of


def _load_jupyter_server_extension(server: Any) -> None:
    """Adds the addresses; called once by jupyter-server."""
    places = places_of(server.root_dir)
    jobs = Jobs(places.root, environment=dict(places.environment))
    server.web_app.add_handlers(".*$", routes(server.base_url, places=places, jobs=jobs))
