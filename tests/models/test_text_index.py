"""The index for searches: used where PostgreSQL lets us have it, and not needed."""

from tortoise.transactions import in_transaction

from models import database
from resolvers.selection import with_text
from tests.fixtures.database import Postgres


async def plan(url: str) -> str:
    """How the database would search, were reading every row out of the question."""
    async with database.opened(url), in_transaction() as connection:
        await connection.execute_query("SET LOCAL enable_seqscan = off")
        return str(await with_text("corpus 7").using_db(connection).explain())


async def test_a_search_uses_it(postgres: Postgres) -> None:
    url = postgres.database()
    await database.migrate(url)
    assert (await plan(url)).count('"Index Name": "image_text"') == 2


async def test_a_user_who_may_not_have_it_goes_without(postgres: Postgres) -> None:
    url = postgres.database()
    async with database.opened(url) as context:
        for statement in ("CREATE ROLE tenant LOGIN", "GRANT CREATE ON SCHEMA public TO tenant"):
            await context.db().execute_query(statement)
    tenant = url.replace("postgres@", "tenant@")
    await database.migrate(tenant)
    assert '"Node Type": "Seq Scan"' in await plan(tenant)
