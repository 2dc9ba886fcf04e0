"""What the mutations of tags and categories return."""

from typing import Annotated

import strawberry

from schema.errors import ForbiddenError, NotFoundError, UnavailableError, ValidationError
from schema.tag import Tag, TagCategory


@strawberry.type(description="The tag under its new name.")
class RenameTagPayload:
    """Of `renameTag`."""

    tag: Tag = strawberry.field(description="The tag.")


@strawberry.type(description="What was removed.")
class RemoveTagPayload:
    """Of `removeTag`."""

    slug: str = strawberry.field(description="The slug that the tag had.")


@strawberry.type(description="The category as it is now.")
class TagCategoryPayload:
    """Of `createTagCategory` and `updateTagCategory`."""

    category: TagCategory = strawberry.field(description="The category.")


@strawberry.type(description="What was removed.")
class RemoveTagCategoryPayload:
    """Of `removeTagCategory`."""

    name: str = strawberry.field(description="The name that the category had.")


RenameTagResult = Annotated[
    RenameTagPayload | ValidationError | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("RenameTagResult", description="The tag, or why it keeps its name."),
]

RemoveTagResult = Annotated[
    RemoveTagPayload | ValidationError | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("RemoveTagResult", description="The slug, or why the tag stays."),
]

TagCategoryResult = Annotated[
    TagCategoryPayload | ValidationError | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("TagCategoryResult", description="The category, or why nothing changed."),
]

RemoveTagCategoryResult = Annotated[
    RemoveTagCategoryPayload | ValidationError | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("RemoveTagCategoryResult", description="The name, or why it stays."),
]
