"""Numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from braggbook.hub.desk import Desk
from braggbook.hub.operations.near import is_near
from braggbook.hub.store import entries, jobs
from braggbook.hub.web.visitor import Asking

router = APIRouter()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)


class Metrics:
    """The numbers of one hub: what its process has counted, and what its database says."""

    def __init__(self, desk: Desk) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            "braggbook_requests", "Requests that were answered", (*labels, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "braggbook_request_seconds", "How long answers took", labels, buckets=_SECONDS, registry=self.registry
        )
        self.registry.register(_Queue(desk))
        ProcessCollector(registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)


class _Queue(Collector):
    """What the database says when it is asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterator[Metric]:
        """Returns nothing: the registry need not ask the database to know the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Returns how many jobs and submissions are in each state, and how many workers are here."""
        now = self._desk.clock()
        with self._desk.database.read() as session:
            found = {"jobs": jobs.depth(session), "submissions": entries.states(session)}
            workers, oldest = len(jobs.alive(session, now=now)), jobs.oldest(session)
        for name, counts in found.items():
            family = GaugeMetricFamily(f"braggbook_{name}", f"{name.title()} by state", labels=["state"])
            for state, count in counts.items():
                family.add_metric([state], count)
            yield family
        yield GaugeMetricFamily("braggbook_workers", "Workers that were heard of lately", value=workers)
        age = (now - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily("braggbook_oldest_job_seconds", "Since when the first job waits", value=age)


@router.get("/metrics", name="metrics")
def metrics(request: Request, asking: Asking) -> Response:
    """Returns the numbers: to organisers, and to programs on this machine."""
    if not is_near(request):
        asking.require_organiser()
    text = generate_latest(request.app.state.metrics.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
