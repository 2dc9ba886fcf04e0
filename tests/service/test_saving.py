"""Running containers that become images, on a real cluster: from the mutation to the registry."""

from typing import Any

from schema import ids
from tests.fixtures.cluster import Lab
from tests.fixtures.service import Client, Server
from tests.service.pulled import files_of
from tests.service.saving import SAVED, TASKS, is_clean, saved, task_of, user
from tests.service.test_dockerfile import inspect, new_name


def config_of(reference: str) -> Any:
    return inspect(reference, "--config")


async def test_a_training_task_is_listed_to_its_owner(saving_server: Server) -> None:
    async with user(saving_server, "alice") as alice, user(saving_server, "bob") as bob:
        names = [task["name"] for task in await alice.ask(TASKS)]
        assert sorted(names) == ["alice-bert", "alice-llama", "alice-resnet"]
        assert {task["name"] for task in await bob.ask(TASKS)} == {"bob-gpt", "bob-sweep"}
        assert [task["name"] for task in await alice.ask(TASKS, search="BERT")] == ["alice-bert"]


async def test_a_docker_container_of_a_task_is_saved(saving_server: Server, lab: Lab) -> None:
    async with user(saving_server, "alice") as alice:
        task = await task_of(alice, "alice-resnet")
        pod = task["pods"][0]["name"]
        created = await alice.create("TrainingTask", name=new_name(), task=task["id"], pod=pod)
        build = await saved(alice, created)
        reference = created["image"]["reference"]
        assert (await files_of(reference))["opt/model/weights"] == "weights-v1\n"
        await is_clean(lab, saving_server, build)
        assert [step["name"] for step in build["steps"]] == [
            "Locate the container",
            "Check what can be checked",
            "Pause the container",
            "Read what the container wrote",
            "Let the container go on",
            "Push the image",
            "Record what was saved",
        ]
        assert {step["status"] for step in build["steps"]} == {"DONE"}
        container = await alice.ask(SAVED, id=build["id"])
        found = container["container"]
        assert found["pod"] == pod
        assert found["container"] == "main"
        assert found["containerId"].startswith("docker://")
        assert found["savedBy"] == {"name": "alice"}
        weights = {"path": "/opt/model/weights", "change": "ADDED", "size": 11}
        assert weights in found["changedFiles"]
        assert found["mounts"][0]["path"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        # The image's own config, not the pod's.
        base, config = config_of(build["bases"][0]["reference"]), config_of(reference)
        for key in ("Env", "Cmd", "Entrypoint", "WorkingDir", "User"):
            assert config["config"].get(key) == base["config"].get(key), key
        assert config["config"]["Labels"]["darkroom.pod"] == f"training/{pod}"
        assert lab.engine("run", "--rm", reference, "cat", "/opt/model/weights") == "weights-v1\n"
        lab.engine("rmi", reference)


async def test_a_containerd_container_is_saved_and_again(saving_server: Server, lab: Lab) -> None:
    async with user(saving_server, "alice") as alice:
        chosen = {"namespace": "research", "pod": "workbench", "container": "shell"}
        script = "echo 1 > /etc/note; [ ! -e /etc/passwd ] || rm /etc/passwd"
        lab.execute("research", "workbench", "shell", script)
        created = await alice.create("Container", name=new_name(), **chosen)
        build = await saved(alice, created)
        reference = created["image"]["reference"]
        files = await files_of(reference)
        assert files["installed"] == "numpy\n"
        await is_clean(lab, saving_server, build)
        base = build["bases"][0]
        assert base["digest"] == inspect(base["reference"])["Digest"]
        found = (await alice.ask(SAVED, id=build["id"]))["container"]
        changes = {change["path"]: change["change"] for change in found["changedFiles"]}
        expected = {"/installed": "ADDED", "/etc/note": "ADDED", "/etc/passwd": "DELETED"}
        assert expected.items() <= changes.items()
        # What the runtime mounted there is not the container's doing.
        assert not {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} & changes.keys()
        assert not {"dev", "proc", "sys"} & {path.split("/")[1] for path in changes}
        # One layer on the base, and again one, not two.
        layers = len(inspect(base["reference"], "--raw")["layers"])
        assert len(inspect(reference, "--raw")["layers"]) == layers + 1
        # The container is as usable as before: its image's files can be changed and deleted.
        script = "echo x >> /etc/group; touch /bin/busybox; rm -rf /root && mkdir /root"
        lab.execute("research", "workbench", "shell", script)
        again = await alice.create("Container", name=new_name(), pause=False, **chosen)
        second = await saved(alice, again)
        assert len(inspect(again["image"]["reference"], "--raw")["layers"]) == layers + 1
        assert "Pause the container" not in [step["name"] for step in second["steps"]]


async def test_a_saved_container_cannot_be_rebuilt_but_saved_again(
    saving_server: Server,
) -> None:
    rebuild = """mutation($id: ID!, $input: RebuildImageInput!) {
      rebuildImage(id: $id, input: $input) {
        __typename ... on Error { message } ... on CreateImagePayload { build { id } } } }"""
    async with user(saving_server, "alice") as alice:
        created = await alice.create(
            "Container", name=new_name(), namespace="research", pod="notebook", container="jupyter"
        )
        await saved(alice, created)
        id_ = created["image"]["id"]
        refused = await alice.ask(rebuild, id=id_, input={})
        assert refused["__typename"] == "ValidationError"
        assert "pinned: false" in refused["message"]
        again = await alice.ask(rebuild, id=id_, input={"pinned": False})
        build = await saved(alice, again)
        assert build["number"] == 2
        assert (await files_of(created["image"]["reference"]))["installed"] == "pandas\n"


async def test_what_cannot_be_saved_is_refused_with_its_reason(
    saving_server: Server, lab: Lab
) -> None:
    async with user(saving_server, "alice") as alice, user(saving_server, "bob") as bob:
        mine = await task_of(alice, "alice-resnet")
        pod = mine["pods"][0]["name"]

        async def answer(client: Client, way: str, **given: Any) -> tuple[str, str]:
            found = await client.create(way, name=new_name(), **given)
            return found["__typename"], found["message"]

        others = await answer(bob, "TrainingTask", task=mine["id"], pod=pod)
        assert others == ("NotFoundError", "You have no such training task.")
        wrong_pod = await answer(alice, "TrainingTask", task=mine["id"], pod="elsewhere")
        assert wrong_pod[0] == "ValidationError"
        assert "has no pod elsewhere" in wrong_pod[1]
        wrong = await answer(alice, "TrainingTask", task=mine["id"], pod=pod, container="x")
        assert "has no container x" in wrong[1]
        done = ids.encode("TrainingTask", "jobs.batch/training/alice-done")
        finished = await answer(alice, "TrainingTask", task=done, pod=lab.pod_of("alice-done"))
        assert "does not run" in finished[1]
        missing = {"namespace": "research", "pod": "nothing", "container": "x"}
        there = {"namespace": "research", "pod": "notebook", "container": "jupyter"}
        assert (await answer(alice, "Container", **missing))[0] == "NotFoundError"
        # To bob, who may not see the namespace, what is there is as what is not.
        assert await answer(bob, "Container", **there) == (
            "NotFoundError",
            "There is no pod research/notebook.",
        )
