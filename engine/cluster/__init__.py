"""A Kubernetes cluster: whose training tasks run, where containers are, and who may enter them."""

from engine.cluster.access import User
from engine.cluster.client import Cluster
from engine.cluster.errors import (
    ClusterConflict,
    ClusterError,
    ClusterNotFound,
    ClusterRefused,
    ClusterUnreachable,
)
from engine.cluster.pods import Container, Pod
from engine.cluster.tasks import Task

__all__ = [
    "Cluster",
    "ClusterConflict",
    "ClusterError",
    "ClusterNotFound",
    "ClusterRefused",
    "ClusterUnreachable",
    "Container",
    "Pod",
    "Task",
    "User",
]
