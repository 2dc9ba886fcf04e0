"""Who did something."""

from typing import Self

import strawberry

from schema.context import Info
from schema.field import field


@strawberry.type(description="A user of the platform, as authentication names them.")
class User:
    """Darkroom keeps no users of its own, only their names."""

    name: str = strawberry.field(description="The user's unique name.")

    @classmethod
    def of(cls, name: str) -> Self:
        """The user of this name."""
        return cls(name=name)

    @field("Whether the user is an administrator, who may also create tags.")
    async def admin(self, info: Info) -> bool:
        """Asked only when selected: it may be a question to another service."""
        return await info.context.reads.is_admin(self.name)
