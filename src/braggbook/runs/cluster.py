"""Where a sweep's points are executed: threads of this process that fork, or the workers of a running Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress

import dask
import distributed

from braggbook.errors import NetworkError
from braggbook.kernels.warm import TEMPLATES
from braggbook.runs.design import Point
from braggbook.runs.points import CANCELLED, PointsJob, leave_sweep, run_point

_LOOK_S = 2.0
_CONNECT_S = 20
_AHEAD = 1  # points that wait at each worker, so that it never waits for us
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


@contextmanager
def local_cluster(workers: int, sweep: str) -> Iterator[distributed.Client]:
    """Gives a client of threads of this process; on an error, whatever they execute is ended.

    They speak to each other without a port that others could connect to, and share their templates.
    """
    CANCELLED.clear()
    with dask.config.set(_NO_PAGES):
        cluster = distributed.LocalCluster(
            processes=False, n_workers=1, threads_per_worker=workers, dashboard_address="127.0.0.1:0",
            memory_limit=0, silence_logs="CRITICAL",
        )  # fmt: skip
        with cluster, distributed.Client(cluster) as client:
            try:
                yield client
            except BaseException:
                CANCELLED.set()
                TEMPLATES.close()  # and with them whatever still runs
                raise
            finally:
                leave_sweep(sweep)


@contextmanager
def running_cluster(address: str, sweep: str) -> Iterator[distributed.Client]:
    """Gives a client of a running scheduler.

    Raises:
        NetworkError: It does not answer, or has gone.
    """
    try:
        client = distributed.Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError, TypeError) as error:  # TypeError: tls:// without certificates
        raise NetworkError(
            "the Dask scheduler does not answer", where=address, wanted="tcp://HOST:PORT of a running scheduler",
            got=str(error), next_command="dask scheduler",
        ) from None  # fmt: skip
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it logs tracebacks when the scheduler goes
    with client:
        try:
            yield client
        except CancelledError:
            raise NetworkError(
                "the Dask scheduler is gone", where=address,
                next_command="start it again, then the same command with its address: it does only what is missing",
            ) from None  # fmt: skip
        finally:
            with suppress(Exception):  # the cluster may be gone; its workers then end what they keep
                client.run(leave_sweep, sweep)


def ended_points(
    client: distributed.Client, job: PointsJob, points: Iterator[Point], *, meanwhile: Callable[[int], None]
) -> Iterator[tuple[Point, distributed.Future]]:
    """Keeps the workers busy, and gives each point when it has ended.

    Args:
        client: Of the cluster.
        job: What all points have in common.
        points: All of them.
        meanwhile: Called every few seconds with the number of workers.
    """
    # a task and not scattered data, which waits for no worker and is lost for ever with the workers that hold it
    shared = client.submit(_given, job, pure=False)
    waiting: dict[distributed.Future, Point] = {}
    exhausted = False
    while True:
        threads = sum(client.nthreads().values())
        room = max(2, (1 + _AHEAD) * threads) - len(waiting)
        for _ in range(0 if exhausted else room):
            point = next(points, None)
            if point is None:
                exhausted = True
                break
            waiting[client.submit(run_point, shared, point.values, pure=False)] = point
        if not waiting:
            return
        try:
            ended = distributed.wait(list(waiting), timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            ended = set()
        meanwhile(threads)
        for future in ended:
            yield waiting.pop(future), future


def _given(job: PointsJob) -> PointsJob:
    return job
