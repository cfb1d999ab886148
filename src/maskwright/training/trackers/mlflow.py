"""MLflow tracking: a server, or a file of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from maskwright.training.trackers._tracker import Opening, Session, Status, Tracker

STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
MOST_PARAMS = 100  #: that one request may hold


class MLflow(Tracker):
    """Where it keeps runs is said by its own environment: MLFLOW_TRACKING_URI."""

    library: ClassVar[str | None] = "mlflow"

    project: str = Field("maskwright", min_length=1, description="the experiment that its runs stand in")

    def open(self, opening: Opening) -> Session:
        from mlflow import MlflowClient

        client = MlflowClient()
        if opening.id is not None:
            client.update_run(opening.id, status="RUNNING")
            return _Run(client, opening.id)
        found = client.get_experiment_by_name(self.project)
        experiment = client.create_experiment(self.project) if found is None else found.experiment_id
        run = _Run(client, client.create_run(experiment, run_name=opening.name).info.run_id)
        run.describe(opening.config)
        return run


class _Run:
    def __init__(self, client: Any, id: str) -> None:
        self.id, self._client = id, client

    def describe(self, config: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in _flat(config)]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self.id, params=params[start : start + MOST_PARAMS])

    def log(self, step: int, values: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self.id, metrics=[Metric(name, value, now, step) for name, value in values.items()])

    def close(self, status: Status) -> None:
        self._client.set_terminated(self.id, STATUS[status])


def _flat(values: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Its parameters have no levels: `settings.train.lr`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", value
