"""What is read."""

from typing import Annotated

import strawberry

from engine import reading_rights
from engine.reference import check_repository
from models import TagCategory
from resolvers import find, listing, registry_names, saving, selection
from resolvers.context import author_of, services_of, viewer_of
from schema.build import Build
from schema.cluster import TrainingTask
from schema.context import Info
from schema.field import field
from schema.image import Image
from schema.image_connection import ImageConnection
from schema.inputs import ImageFilter, ImageOrder
from schema.node import Node
from schema.page import After, First, size_of
from schema.registry import RegistryNames
from schema.tag import TagCategory as TagCategoryNoun
from schema.user import User

GlobalId = Annotated[strawberry.ID, strawberry.argument(description="The global id.")]
Filter = Annotated[
    ImageFilter | None, strawberry.argument(description="Narrows the list; all of it must hold.")
]
Order = Annotated[ImageOrder | None, strawberry.argument(description="Newest first when left out.")]
TaskSearch = Annotated[str | None, strawberry.argument(description="Part of the task's name.")]


RepositorySearch = Annotated[
    str | None, strawberry.argument(description="Part of the repository's name.")
]
Repository = Annotated[
    str, strawberry.argument(description="The repository's name, without the registry.")
]
MOST_NAMES = 1000  # of one page


def _within(first: int) -> int:
    return max(1, min(first, MOST_NAMES))


@strawberry.type(description="What is read. Nothing here changes anything.")
class Query:
    """The root of queries."""

    @field("Who asks, as the service sees them.")
    def viewer(self, info: Info) -> User:
        """The authenticated user."""
        return User.of(viewer_of(info).name)

    @field("Any record by its global id; null when there is none that the viewer may see.")
    async def node(self, info: Info, id: GlobalId) -> Node | None:  # noqa: A002  # the API's name
        """An image or a build."""
        if image := await find.image(viewer_of(info), id):
            return Image.of(image)
        build = await find.build(viewer_of(info), id)
        return Build.of(build) if build else None

    @field("An image by its id; null when there is none that the viewer may see.")
    async def image(self, info: Info, id: GlobalId) -> Image | None:  # noqa: A002  # the API's name
        """One image."""
        row = await find.image(viewer_of(info), id)
        return Image.of(row) if row else None

    @field(
        "Newest first unless `orderBy` says otherwise. Pages by key, so it costs the same at any "
        "depth."
    )
    async def images(
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        filter: Filter = strawberry.UNSET,  # noqa: A002  # the API's name
        order_by: Order = strawberry.UNSET,
    ) -> ImageConnection:
        """A page of what the viewer may see."""
        services = services_of(info)
        most = size_of(first, services.settings.page_size)
        found = await selection.select(services.index, viewer_of(info), filter or None)
        page = await listing.page(found, most, after or None, order_by or listing.NEWEST)
        return ImageConnection.of(page, found)

    @field("Every category of tags, with its tags.")
    async def tag_categories(self) -> list[TagCategoryNoun]:
        """In the order in which they were made."""
        return [TagCategoryNoun.of(row) for row in await TagCategory.all()]

    @field("A build by its id; null when there is none that the viewer may see.")
    async def build(self, info: Info, id: GlobalId) -> Build | None:  # noqa: A002  # the API's name
        """One build."""
        row = await find.build(viewer_of(info), id)
        return Build.of(row) if row else None

    @field("Repositories that the registry holds and Darkroom's account may read.")
    async def registry_repositories(
        self,
        info: Info,
        search: RepositorySearch = strawberry.UNSET,
        first: First = 20,
        after: After = strawberry.UNSET,
    ) -> RegistryNames:
        """A page of a search may be short and still not be the last."""
        registry, sealer = services_of(info).registry, services_of(info).sealer
        last = registry_names.place(after or None, sealer)
        page = await registry.repositories(search or "", last, _within(first))
        return await registry_names.repositories(info, page, sealer)

    @field("Tags of one of the registry's repositories.")
    async def registry_tags(
        self,
        info: Info,
        repository: Repository,
        first: First = 20,
        after: After = strawberry.UNSET,
    ) -> RegistryNames:
        """None when there is no such repository."""
        registry, sealer = services_of(info).registry, services_of(info).sealer
        name = check_repository(repository.strip("/"))
        reading_rights.check(services_of(info).settings, name, author_of(info))
        last = registry_names.place(after or None, sealer)
        page = await registry.tags(name, last, _within(first))
        return await registry_names.tags(viewer_of(info), name, page, sealer)

    @field(
        "The viewer's own training tasks that are running now. Null, with an error, when no "
        "cluster is configured or it does not answer."
    )
    async def training_tasks(
        self, info: Info, search: TaskSearch = strawberry.UNSET
    ) -> list[TrainingTask] | None:
        """From the cluster, as it answers now."""
        return await saving.training_tasks(info, search or "")
