"""The new image is the base's, and one layer more."""

import json
from datetime import UTC, datetime
from typing import Any

from engine.cluster.pods import pod_of
from engine.containerd.mounts import read_only
from engine.containerd.protos import containerd_pb2 as pb
from engine.installation import instance_of
from engine.saving.described import HIDDEN, described, mounts
from engine.saving.events import (
    Change,
    Clean,
    Event,
    Failed,
    FilesChanged,
    Made,
    Phase,
    PhaseChanged,
    Saved,
    decode,
    encode,
)
from engine.saving.node.docker import _history
from engine.saving.node.image import (
    NewLayer,
    chain_id,
    config_document,
    extend_config,
    manifest_document,
)
from engine.saving.plan import Plan
from models.enums import FailureCode, FileChange, Runtime, StepStatus
from settings import Settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PLAN = Plan(
    key="k",
    runtime=Runtime.CONTAINERD,
    container_id="0123456789abcdef",
    image="busybox",
    image_id="busybox@" + A,
    pause=True,
    registry="localhost:5000",
    insecure=False,
    repository="demo/saved",
    tag="1",
    layer_bytes=1,
    push_tries=3,
    retry_seconds=1,
    author="alice",
    labels={"org.opencontainers.image.authors": "alice"},
)
BASE: dict[str, Any] = {
    "architecture": "arm64",
    "os": "linux",
    "variant": "v8",
    "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"kept": "yes"}, "StopSignal": "9"},
    "rootfs": {"type": "layers", "diff_ids": [A]},
    "history": [{"created_by": "COPY"}],
    "container_config": {"Hostname": "builder"},
    "unknown.field": 1,
}


def test_a_plan_survives_its_way_to_the_node() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN


def test_the_config_is_the_bases_with_one_layer_more() -> None:
    config = extend_config(BASE, B, PLAN, NOON)
    assert config["rootfs"]["diff_ids"] == [A, B]
    assert config["config"]["Env"] == ["PATH=/bin"]
    assert config["config"]["StopSignal"] == "9"
    assert config["config"]["Labels"] == {"kept": "yes", **PLAN.labels}
    assert config["created"] == "2026-01-02T12:00:00Z"
    assert (config["architecture"], config["variant"]) == ("arm64", "v8")
    assert config["unknown.field"] == 1
    assert "container_config" not in config
    assert len(config["history"]) == 2
    assert config["history"][1]["author"] == "alice"
    assert BASE["config"]["Labels"] == {"kept": "yes"}  # the base itself is as it was


def test_a_base_without_history_gets_none() -> None:
    base = {key: value for key, value in BASE.items() if key != "history"}
    # One entry for two layers would be a lie.
    assert "history" not in extend_config(base, B, PLAN, NOON)


def test_the_manifest_is_of_its_bases_family() -> None:
    for docker in (True, False):
        config_type = (
            "application/vnd.docker.container.image.v1+json"
            if docker
            else "application/vnd.oci.image.config.v1+json"
        )
        base = {"config": {"mediaType": config_type}, "layers": [{"digest": A, "size": 1}]}
        config = config_document(extend_config(BASE, B, PLAN, NOON), base)
        assert config.media_type == config_type
        manifest = manifest_document(base, config, NewLayer(B, 7, B))
        found = json.loads(manifest.body)
        assert found["mediaType"] == manifest.media_type
        assert found["config"]["digest"] == config.digest
        assert [layer["digest"] for layer in found["layers"]] == [A, B]
        assert ("docker" in found["layers"][1]["mediaType"]) is docker


def test_chain_ids_are_those_of_the_specification() -> None:
    # Of the lab's busybox, as containerd names its snapshots.
    diff_ids = [
        "sha256:5553225c28a9ec1d275f6c381cfb2b3915b87dd1c11213ccdad93daac2986a33",
        "sha256:6e9c95a08eff97ad3aeb3e25e3829b94559c7ac7f3c64794bb16dbc5a0abe5b6",
        "sha256:663ffdce5201ff2e0c2c71093ae3d41c10eef9bbfa90b9185364a43921f32657",
    ]
    assert chain_id(diff_ids[:1]) == diff_ids[0]
    assert chain_id(diff_ids) == (
        "sha256:96a2b45c7bb33f863b149ff8c6c3034015d68d8ea46742e12d599533ea0cfe64"
    )


def test_dockers_history_is_taken_where_it_says_which_steps_made_layers() -> None:
    steps = [
        {"Created": 2, "CreatedBy": "CMD", "Size": 0, "Comment": ""},
        {"Created": 1, "CreatedBy": "COPY", "Size": 5, "Comment": "why"},
    ]
    found = _history(steps, layers=1)
    assert found
    assert [entry.get("empty_layer", False) for entry in found] == [False, True]
    assert found[0]["comment"] == "why"
    assert _history(steps, layers=2) is None


def test_every_event_survives_its_way() -> None:
    events: list[Event] = [
        PhaseChanged(Phase.PAUSE, StepStatus.FAILED, NOON, "why"),
        FilesChanged(
            (Change("/a\nb", FileChange.ADDED, 1), Change("/c", FileChange.DELETED, None))
        ),
        Made(A),
        Saved(A, "containerd", "1", None, 1, 2, 3),
        Failed(FailureCode.COMMIT_FAILED, "why"),
        Clean(),
    ]
    for event in events:
        line = encode(event)
        assert "\n" not in line
        assert decode(line) == event


def test_a_line_for_people_is_no_event() -> None:
    for line in ("", "text", '{"event": "clean"}', "\x1e", "\x1e{}", '\x1e{"event": "other"}'):
        assert decode(line) is None


def test_a_snapshot_in_use_is_mounted_to_be_read() -> None:
    options = ["index=off", "workdir=/w", "upperdir=/u", "lowerdir=/b:/a"]
    (found,) = read_only([pb.Mount(type="overlay", source="overlay", options=options)])
    assert list(found.options) == ["index=off", "lowerdir=/u:/b:/a"]
    (bound,) = read_only([pb.Mount(type="bind", source="/u", options=["rw", "rbind"])])
    assert list(bound.options) == ["rbind", "ro"]
    view = ["lowerdir=/b:/a"]
    (same,) = read_only([pb.Mount(type="overlay", source="overlay", options=view)])
    assert list(same.options) == view


def test_the_record_holds_no_secret() -> None:
    document = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "uid": "u",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "hunter2",
                "note": "kept",
            },
        },
        "spec": {
            "nodeName": "node1",
            "containers": [
                {
                    "name": "main",
                    "image": "i",
                    "env": [
                        {"name": "WANDB_API_KEY", "value": "hunter2"},
                        {"name": "EPOCHS", "value": "3"},
                        {
                            "name": "TOKEN",
                            "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
                        },
                    ],
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                },
                {"name": "other", "env": [{"name": "X", "value": "of another container"}]},
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "sets"}}],
        },
    }
    pod = pod_of(document)
    found = described(pod, "main")
    text = json.dumps(found)
    assert "hunter2" not in text
    assert "another container" not in text
    assert found["spec"]["containers"][0]["env"][0]["value"] == HIDDEN
    assert found["spec"]["containers"][0]["env"][1]["value"] == "3"
    assert found["metadata"]["annotations"] == {"note": "kept"}
    assert mounts(pod, "main") == [
        {"path": "/data", "volume": "persistentVolumeClaim sets", "readOnly": True}
    ]


def test_installations_are_told_apart_by_their_database() -> None:
    one, other = Settings(database_url="sqlite:///a"), Settings(database_url="sqlite:///b")
    assert instance_of(one) == instance_of(one) != instance_of(other)
