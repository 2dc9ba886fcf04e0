"""The triggers that number the changes of images; made by a migration, for either database."""

from typing import Any

# What images are found by. Other columns may change without anybody's list becoming another.
_COLUMNS = ("owner", "visibility", "status", "origin")

_EVENTS = {
    "image_made": ("INSERT ON image", "NEW.id"),
    "image_edited": (f"UPDATE OF {', '.join(_COLUMNS)} ON image", "NEW.id"),
    "image_removed": ("DELETE ON image", "OLD.id"),
    "image_tagged": ("INSERT ON image_tag", "NEW.image_id"),
    "image_untagged": ("DELETE ON image_tag", "OLD.image_id"),
}
_EDITED = " OR ".join(f"OLD.{column} <> NEW.{column}" for column in _COLUMNS)

_FUNCTION = """
CREATE FUNCTION note_image_change() RETURNS trigger AS $$
DECLARE
  changed bigint := (to_jsonb(COALESCE(NEW, OLD)) ->> TG_ARGV[0])::bigint;
  next bigint;
BEGIN
  UPDATE change_clock SET number = number + 1 RETURNING number INTO next;
  INSERT INTO image_change (image_id, number) VALUES (changed, next)
    ON CONFLICT (image_id) DO UPDATE SET number = EXCLUDED.number;
  RETURN NULL;
END $$ LANGUAGE plpgsql
"""


async def make(_apps: Any, editor: Any) -> None:
    """Make them, and start the clock."""
    client = editor.client
    await client.execute_query("INSERT INTO change_clock (id, number) VALUES (1, 0)")
    if client.capabilities.dialect == "sqlite":
        statements = [_for_sqlite(name, *event) for name, event in _EVENTS.items()]
    else:
        made = [_for_postgres(name, *event) for name, event in _EVENTS.items()]
        statements = [_FUNCTION, *made]
    for statement in statements:
        await client.execute_query(statement)


def _for_sqlite(name: str, event: str, image: str) -> str:
    # No upsert: within a trigger, its conflict clause would give way to the outer statement's.
    return f"""
        CREATE TRIGGER {name} AFTER {event} {_when(name)} BEGIN
          UPDATE change_clock SET number = number + 1;
          DELETE FROM image_change WHERE image_id = {image};
          INSERT INTO image_change (image_id, number) SELECT {image}, number FROM change_clock;
        END"""  # noqa: S608  # all of it stands above


def _for_postgres(name: str, event: str, image: str) -> str:
    column = image.split(".")[1]
    when = _when(name).replace("WHEN ", "WHEN (") + (")" if _when(name) else "")
    return (
        f"CREATE TRIGGER {name} AFTER {event} FOR EACH ROW {when} "
        f"EXECUTE FUNCTION note_image_change('{column}')"
    )


def _when(name: str) -> str:
    return f"WHEN {_EDITED}" if name == "image_edited" else ""
