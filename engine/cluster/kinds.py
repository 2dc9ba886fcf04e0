"""The kinds of training tasks, and how each says that it runs.

Batch Jobs are Kubernetes' own; PyTorchJob, TFJob and MPIJob are Kubeflow's training operator's;
Volcano has a Job of its own. A cluster may lack any of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from engine.cluster.api import Object


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of task. `resource` is `plural.group`, as kubectl has it."""

    resource: str
    versions: tuple[str, ...]
    """Of the API; a cluster may serve one of them alone."""
    name: str
    runs: Callable[[Object], bool]
    """Whether a task is running, by its `status` and `spec`."""
    job_label: str
    """The label by which its pods name their task."""
    main: tuple[str, ...] = ()
    """What its operator calls the container that trains."""

    @property
    def plural(self) -> str:
        """The resource within its group."""
        return self.resource.partition(".")[0]

    @property
    def group(self) -> str:
        """The group of the API."""
        return self.resource.partition(".")[2]

    @property
    def api_versions(self) -> tuple[str, ...]:
        """As objects write them."""
        return tuple(f"{self.group}/{version}" for version in self.versions)


def batch_job_runs(job: Object) -> bool:
    """Pods of it are active, and no condition says that it is over or suspended."""
    status = job.get("status") or {}
    over = _true_conditions(status) & {"Complete", "Failed", "Suspended"}
    return not over and int(status.get("active") or 0) > 0


def kubeflow_job_runs(job: Object) -> bool:
    """Its operator reports Running, and neither Succeeded, Failed nor Suspended."""
    conditions = _true_conditions(job.get("status") or {})
    return "Running" in conditions and not conditions & {"Succeeded", "Failed", "Suspended"}


def volcano_job_runs(job: Object) -> bool:
    """Its phase is Running; Pending, Restarting, Completed and the like are not."""
    state = (job.get("status") or {}).get("state") or {}
    return bool(state.get("phase") == "Running")


def _true_conditions(status: Object) -> set[str]:
    conditions = status.get("conditions") or []
    return {c.get("type", "") for c in conditions if c.get("status") == "True"}


_KUBEFLOW_LABEL = "training.kubeflow.org/job-name"

KINDS = {
    kind.resource: kind
    for kind in (
        Kind("jobs.batch", ("v1",), "Job", batch_job_runs, "job-name"),
        Kind(
            "pytorchjobs.kubeflow.org",
            ("v1",),
            "PyTorchJob",
            kubeflow_job_runs,
            _KUBEFLOW_LABEL,
            ("pytorch",),
        ),
        Kind(
            "tfjobs.kubeflow.org",
            ("v1",),
            "TFJob",
            kubeflow_job_runs,
            _KUBEFLOW_LABEL,
            ("tensorflow",),
        ),
        Kind(
            "mpijobs.kubeflow.org",
            ("v1", "v2beta1"),  # the training operator's, and that of the MPI operator alone
            "MPIJob",
            kubeflow_job_runs,
            _KUBEFLOW_LABEL,
            ("mpi",),
        ),
        Kind(
            "jobs.batch.volcano.sh", ("v1alpha1",), "Job", volcano_job_runs, "volcano.sh/job-name"
        ),
    )
}
"""Every kind that can be listed, by its resource."""
