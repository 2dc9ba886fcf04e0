"""The index by which PostgreSQL finds a part of a name or a description; made by a migration.

It needs the extension pg_trgm, which comes with PostgreSQL and which a database's owner may add.
Where that is not allowed there is no index, and a search reads every image.
"""

from typing import Any

# As Tortoise writes `icontains`.
MAKE = """
DO $$ BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX image_text ON image USING gin (
    upper(CAST(name AS varchar)) gin_trgm_ops, upper(CAST(description AS varchar)) gin_trgm_ops
  );
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object
THEN
  RAISE NOTICE 'pg_trgm cannot be used: a search will read every image';
END $$
"""


async def make(_apps: Any, editor: Any) -> None:
    """Make it where it can be made."""
    if editor.client.capabilities.dialect != "sqlite":
        await editor.client.execute_query(MAKE)
