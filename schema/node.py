"""What every record with a global id has in common."""

import strawberry


@strawberry.interface(description="A record that can be fetched again by its id alone.")
class Node:
    """Relay's object identification."""

    id: strawberry.ID = strawberry.field(description="The global id; `node(id:)` takes it.")
