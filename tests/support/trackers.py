"""Libraries of trackers that are not installed, as fakes that remember what they were told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

CONFIG = {"settings": {"seed": 17, "train": {"lr": 0.01}}, "versions": {}}


@dataclass
class Told:
    """One session as its library saw it."""

    id: str
    name: str | None
    config: str
    lines: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    end: Any = None

    @property
    def curves(self) -> dict[str, dict[int, float]]:
        out: dict[str, dict[int, float]] = {}
        for step, values in self.lines:
            for name, value in values.items():
                out.setdefault(name, {})[step] = value
        return out


@dataclass
class Backend:
    """The sessions of a library, and the trouble that it makes when it is told something."""

    sessions: list[Told] = field(default_factory=list)
    at_open: Callable[[], Any] = lambda: None
    at_step: Callable[[int], Any] = lambda step: None

    def open(self, id: str | None, name: str | None, config: Any) -> Told:
        self.at_open()
        told = Told(id or f"session{len(self.sessions)}", name, str(config))
        self.sessions.append(told)
        return told

    def log(self, told: Told, step: int, values: dict[str, float]) -> None:
        assert told.end is None, "told after its end"
        assert all(type(value) is float for value in values.values()), values
        self.at_step(step)
        told.lines.append((step, values))


def modules(**made: dict[str, Any]) -> dict[str, ModuleType]:
    """Modules by name (`__` for a dot) with what stands in them."""
    out = {}
    for name, content in made.items():
        path = name.replace("__", ".")
        out[path] = ModuleType(path)
        vars(out[path]).update(content)
    return out


def fake_tensorboard(backend: Backend) -> dict[str, ModuleType]:
    class SummaryWriter:
        def __init__(self, log_dir: str, comment: str = "", purge_step: int | None = None) -> None:
            self.told = backend.open(log_dir, None, "")
            assert purge_step is not None
            self.purged = purge_step

        def add_text(self, tag: str, text_string: str, global_step: int) -> None:
            self.told.config = text_string

        def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
            assert global_step >= self.purged or tag.startswith("final"), "it would be hidden"
            backend.log(self.told, global_step, {tag: scalar_value})

        def flush(self) -> None: ...

        def close(self) -> None:
            self.told.end = "closed"

    return modules(tensorboard={}, torch__utils__tensorboard={"SummaryWriter": SummaryWriter})


def fake_wandb(backend: Backend) -> dict[str, ModuleType]:
    class Run:
        def __init__(self, told: Told) -> None:
            self.id, self.told = told.id, told

        def log(self, data: dict[str, float], step: int) -> None:
            backend.log(self.told, step, data)

        def finish(self, exit_code: int) -> None:
            self.told.end = exit_code

    def init(*, project: str, name: str, id: str | None, resume: str, dir: str, config: Any, reinit: str) -> Run:
        assert (project, resume, reinit) == ("maskwright", "allow", "create_new")
        assert Path(dir).is_dir()
        return Run(backend.open(id, name, config))

    return modules(wandb={"init": init})


def fake_mlflow(backend: Backend) -> dict[str, ModuleType]:
    class MlflowClient:
        experiments: dict[str, str] = {}  # noqa: RUF012 - the server's

        def get_experiment_by_name(self, name: str) -> Any:
            found = self.experiments.get(name)
            return found and SimpleNamespace(experiment_id=found)

        def create_experiment(self, name: str) -> str:
            assert name not in self.experiments, "MLflow refuses a name that is taken"
            return self.experiments.setdefault(name, "7")

        def create_run(self, experiment_id: str, run_name: str) -> Any:
            assert experiment_id == "7"
            return SimpleNamespace(info=SimpleNamespace(run_id=backend.open(None, run_name, "").id))

        def update_run(self, run_id: str, status: str) -> None:
            assert status == "RUNNING"
            backend.open(run_id, None, "")

        def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
            told = backend.sessions[-1]
            assert told.id == run_id
            assert len(params) <= 100, "MLflow takes no more at once"
            told.config += "".join(f"{p.key}={p.value};" for p in params)
            for metric in metrics:
                assert metric.timestamp > 1.7e12, "milliseconds"
                backend.log(told, metric.step, {metric.key: metric.value})

        def set_terminated(self, run_id: str, status: str) -> None:
            backend.sessions[-1].end = status

    def metric(key: str, value: float, timestamp: int, step: int) -> Any:
        return SimpleNamespace(key=key, value=value, timestamp=timestamp, step=step)

    def param(key: str, value: str) -> Any:
        return SimpleNamespace(key=key, value=value)

    return modules(mlflow={"MlflowClient": MlflowClient}, mlflow__entities={"Metric": metric, "Param": param})


def fake_trackio(backend: Backend) -> dict[str, ModuleType]:
    class Run:
        def __init__(self, told: Told) -> None:
            self.name, self.told = told.id, told

        def log(self, metrics: dict[str, float], step: int) -> None:
            backend.log(self.told, step, metrics)

        def finish(self) -> None:
            print("* Run finished.")
            self.told.end = "finished"

    def init(project: str, name: str, *, resume: str, config: Any, embed: bool) -> Run:
        assert (project, embed) == ("maskwright", False)
        assert resume in ("allow", "never")
        if resume == "never" and name in {told.id for told in backend.sessions}:
            name += "-0"  # Trackio makes up a name that is free
        print(f"* Trackio project initialized: {project}")
        return Run(backend.open(name, name, config))

    return modules(trackio={"init": init})


FAKES = {"tensorboard": fake_tensorboard, "wandb": fake_wandb, "mlflow": fake_mlflow, "trackio": fake_trackio}
