"""What is changed."""

from typing import Annotated

import strawberry

from engine import builds, editing, existing, pushing_rights, rebuilding
from resolvers import creating, find
from resolvers.context import author_of, services_of, viewer_of
from resolvers.tag_mutation import TagMutation
from schema import results
from schema.build import Build
from schema.context import Info
from schema.create_inputs import (
    CreateImageFromContainerInput,
    CreateImageFromDockerfileInput,
    CreateImageFromExistingInput,
    CreateImageFromGitInput,
    CreateImageFromTrainingTaskInput,
    CreateImageFromUploadInput,
)
from schema.field import field
from schema.image import Image
from schema.inputs import REBUILD_NEWEST, RebuildImageInput, UpdateImageInput

ImageId = Annotated[strawberry.ID, strawberry.argument(description="The image's id.")]
BuildId = Annotated[strawberry.ID, strawberry.argument(description="The build's id.")]


# The API calls every mutation's input `input`, which Python has a function for.
# ruff: noqa: A002

Given = strawberry.argument(description="What to make, and what to call it.")


@strawberry.type(description="What is changed. Each mutation answers with a payload or an error.")
class Mutation(TagMutation):
    """The root of mutations."""

    @field("Makes an image from a Dockerfile in a git repository.")
    async def create_image_from_git(
        self, info: Info, input: Annotated[CreateImageFromGitInput, Given]
    ) -> results.CreateImageResult:
        """A branch, a tag or a commit of it."""
        return await creating.from_git(info, input)

    @field("Makes an image from a Dockerfile that was typed.")
    async def create_image_from_dockerfile(
        self, info: Info, input: Annotated[CreateImageFromDockerfileInput, Given]
    ) -> results.CreateImageResult:
        """It has no context to copy from."""
        return await creating.from_dockerfile(info, input)

    @field("Makes an image from an uploaded Dockerfile or archive.")
    async def create_image_from_upload(
        self, info: Info, input: Annotated[CreateImageFromUploadInput, Given]
    ) -> results.CreateImageResult:
        """By a multipart request."""
        return await creating.from_upload(info, input)

    @field("Registers an image that is in the registry already.")
    async def create_image_from_existing(
        self, info: Info, input: Annotated[CreateImageFromExistingInput, Given]
    ) -> results.CreateImageResult:
        """Nothing is built."""
        return await creating.from_existing(info, input)

    @field("Saves a container of the viewer's own running training task.")
    async def create_image_from_training_task(
        self, info: Info, input: Annotated[CreateImageFromTrainingTaskInput, Given]
    ) -> results.CreateImageResult:
        """One of its pods."""
        return await creating.from_training_task(info, input)

    @field("Saves any running container of the cluster that the viewer may enter.")
    async def create_image_from_container(
        self, info: Info, input: Annotated[CreateImageFromContainerInput, Given]
    ) -> results.CreateImageResult:
        """The cluster says who may."""
        return await creating.from_container(info, input)

    @field("What is left out stays; what is null is cleared.")
    async def update_image(
        self,
        info: Info,
        id: ImageId,
        input: Annotated[UpdateImageInput, strawberry.argument(description="What to change.")],
    ) -> results.UpdateImageResult:
        """Tags, visibility, description and a git token."""
        image = await find.image_to_change(viewer_of(info), id)
        changes = editing.Changes(
            tags=input.tags,
            visibility=input.visibility,
            description=input.description,
            token_name=input.token_name,
            token=input.token,
        )
        row = await editing.update(services_of(info), image, changes, viewer_of(info).name)
        return results.UpdateImagePayload(image=Image.of(row))

    @field("Looks whether the registry's tag still is what is on record, and marks the image.")
    async def check_image(self, info: Info, id: ImageId) -> results.CheckImageResult:
        """Nothing else of the record changes."""
        image = await find.image_to_see(viewer_of(info), id)
        row = await existing.look_again(services_of(info), image)
        return results.CheckImagePayload(image=Image.of(row))

    @field("Removes the record; the image in the registry stays.")
    async def delete_image(self, info: Info, id: ImageId) -> results.DeleteImageResult:
        """What runs for it is canceled first."""
        image = await find.image_to_change(viewer_of(info), id)
        await editing.delete(services_of(info), image)
        return results.DeleteImagePayload(id=id)

    @field(
        "Builds again from a build's archived record: the same commit, context and base digests."
    )
    async def rebuild_image(
        self,
        info: Info,
        id: ImageId,
        input: Annotated[
            RebuildImageInput, strawberry.argument(description="Which record, and how exactly.")
        ] = REBUILD_NEWEST,
    ) -> results.CreateImageResult:
        """The newest build's record when none is named."""
        image = await find.image_to_change(viewer_of(info), id)
        pushing_rights.check_policy(services_of(info), image.repository, author_of(info))
        original = await find.build_to_see(viewer_of(info), input.build) if input.build else None
        build = await rebuilding.rebuild(
            services_of(info), image, original, pinned=input.pinned, by=author_of(info)
        )
        await image.refresh_from_db()
        return results.CreateImagePayload(image=Image.of(image), build=Build.of(build))

    @field("Idempotent. A build that is over stays as it is.")
    async def cancel_build(self, info: Info, id: BuildId) -> results.CancelBuildResult:
        """Whatever state it is in."""
        build = await find.build_to_change(viewer_of(info), id)
        row = await builds.cancel(services_of(info), build.id)
        return results.CancelBuildPayload(build=Build.of(row))
