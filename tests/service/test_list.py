"""The list of images: orders, pages, filters, counts, facets; and editing by its history."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import product

import pytest

from models import Image, ImageTag, Tag
from models.enums import ImageStatus, Origin, Visibility
from schema import ids
from server.language import prefers_chinese
from tests.fixtures.service import JSON, Client, Server, client_of
from tests.rows import NOON, image, save
from tests.service.quiet import opened, quiet_server

IMAGES = """query($first: Int!, $after: String, $filter: ImageFilter, $order: ImageOrder) {
  images(first: $first, after: $after, filter: $filter, orderBy: $order) {
    totalCount nodes { name size createdAt updatedAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    facets { category { name } values { count selected tag { slug } } }
  } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with quiet_server(tmp_path_factory.mktemp("list")) as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with client_of(server.url) as found, opened(server):
        await Image.all().delete()
        yield found


async def names(client: Client, **variables: object) -> list[str]:
    """All names of a list, read a page at a time."""
    found: list[str] = []
    after = None
    while True:
        page = await client.ask(IMAGES, after=after, **{"first": 3, **variables})
        found += [node["name"] for node in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert len(page["nodes"]) == 3
        after = page["pageInfo"]["endCursor"]


def counts(page: JSON) -> dict[str, int]:
    return {
        value["tag"]["slug"]: value["count"]
        for facet in page["facets"]
        for value in facet["values"]
        if value["count"]
    }


async def test_every_order_holds_every_image_once_in_both_directions(client: Client) -> None:
    rows = [
        image(
            name=f"/tests/{letter}{number}:1",
            size=size,
            created_at=NOON + timedelta(seconds=number // 2),
            updated_at=NOON - timedelta(microseconds=number % 3),
        )
        for number, (letter, size) in enumerate(product("bca", (None, 5, 5, 2**40, None)))
    ]
    for row in rows:
        await row.save()

    keys = {
        "CREATED_AT": lambda row: (row.created_at, row.id),
        "UPDATED_AT": lambda row: (row.updated_at, row.id),
        "NAME": lambda row: (row.name, row.id),
        "SIZE": lambda row: (-1 if row.size is None else row.size, row.id),
    }
    for field, key in keys.items():
        ascending = [row.name for row in sorted(rows, key=key)]
        order = {"field": field, "direction": "ASC"}
        assert await names(client, order=order) == ascending, field
        assert await names(client, order={**order, "direction": "DESC"}) == ascending[::-1], field


async def test_pages_stay_put_while_images_come_and_go(client: Client) -> None:
    rows = [image(created_at=NOON + timedelta(seconds=number)) for number in range(9)]
    for row in rows:
        await row.save()
    newest_first = [row.name for row in reversed(rows)]
    first = await client.ask(IMAGES, first=4)
    assert [node["name"] for node in first["nodes"]] == newest_first[:4]

    await image(created_at=NOON + timedelta(hours=1)).save()
    await rows[-1].delete()  # on the first page
    await rows[5].delete()  # the one whose cursor is used next

    after = first["pageInfo"]["endCursor"]
    second = await client.ask(IMAGES, first=4, after=after)
    assert [node["name"] for node in second["nodes"]] == newest_first[4:8]


@pytest.mark.parametrize("cursor", ["x", "", "W10", "WyJOQU1FLkFTQyIsImEiLDFd", "é"])
async def test_a_cursor_of_another_list_is_refused(client: Client, cursor: str) -> None:
    answer = await client.execute(IMAGES, first=1, after=cursor)
    if cursor == "":
        assert not answer.get("errors")
    else:
        assert "This cursor is not one of this list" in answer["errors"][0]["message"]


@pytest.mark.parametrize("first", [-1, 101, 2**31 - 1])
async def test_a_page_has_a_largest_size(client: Client, first: int) -> None:
    answer = await client.execute(IMAGES, first=first)
    assert answer["errors"][0]["message"] == (
        f"`first` is {first}; it must be between 0 and 100. Page with `after`."
    )


async def test_filters_narrow_each_other(client: Client) -> None:
    await save(image(name="/a/one:1", description="Speech 100%_"), "framework/pytorch", "task/nlp")
    await save(image(name="/a/two:1", status=ImageStatus.FAILED), "framework/jax", "task/nlp")
    await save(image(name="/b/three:1", origin=Origin.GIT), "framework/jax", "framework/onnx")
    await save(image(name="/b/four:1", visibility=Visibility.PRIVATE))

    async def found(**filter_: object) -> set[str]:
        return {name.split("/")[2][:-2] for name in await names(client, filter=filter_)}

    assert await found(tags=["framework/jax"]) == {"two", "three"}
    assert await found(tags=["framework/jax", "framework/pytorch"]) == {"one", "two", "three"}
    assert await found(tags=["framework/jax", "task/nlp"]) == {"two"}
    assert await found(tags=["framework/unheard-of"]) == set()
    assert await found(tags=["framework/unheard-of", "framework/jax"]) == {"two", "three"}
    assert await found(tags=["unheard/of", "framework/jax"]) == set()
    assert await found(tags=[]) == {"one", "two", "three", "four"}
    assert await found(search="SPEECH") == {"one"}
    assert await found(search="0%_") == {"one"}
    assert await found(search="%") == {"one"}
    assert await found(search="/b/") == {"three", "four"}
    assert await found(search="'; DROP TABLE image; --") == set()
    assert await found(visibility="PRIVATE") == {"four"}
    assert await found(status=["FAILED"]) == {"two"}
    assert await found(status=["FAILED", "READY"]) == {"one", "two", "three", "four"}
    assert await found(origin=["GIT"]) == {"three"}
    assert await found(mine=True) == set()
    assert await found(search="b", origin=["GIT"], tags=["framework/onnx"]) == {"three"}


async def test_counts_and_facets_are_exact_right_after_a_commit(client: Client) -> None:
    row = await save(image(), "framework/jax", "task/nlp")
    chosen = {"tags": ["framework/pytorch"]}
    page = await client.ask(IMAGES, first=1, filter=chosen)
    assert page["totalCount"] == 0
    assert counts(page) == {"framework/jax": 1}

    torch = await Tag.get(category__name="framework", name="pytorch")
    await ImageTag.create(image_id=row.id, tag_id=torch.id)
    page = await client.ask(IMAGES, first=1, filter=chosen)
    assert page["totalCount"] == 1
    assert counts(page) == {"framework/jax": 1, "framework/pytorch": 1, "task/nlp": 1}

    await row.delete()
    page = await client.ask(IMAGES, first=1, filter=chosen)
    assert page["totalCount"] == 0
    assert counts(page) == {}


async def test_facets_say_what_the_list_would_hold(client: Client) -> None:
    """On random images, each count is compared with the list under that choice."""
    chance = random.Random(7)  # noqa: S311  # a test's data
    slugs = ["framework/jax", "framework/onnx", "task/nlp", "task/data", "language/go"]
    for _ in range(30):
        await save(image(), *chance.sample(slugs, chance.randrange(4)))
    chosen = ["framework/jax", "task/nlp"]
    page = await client.ask(IMAGES, first=1, filter={"tags": chosen})
    assert page["totalCount"] == len(await names(client, filter={"tags": chosen}))
    for slug in slugs:
        others = [tag for tag in chosen if tag.split("/")[0] != slug.split("/")[0]]
        held = await names(client, filter={"tags": [*others, slug]})
        assert counts(page).get(slug, 0) == len(held), slug
    selected = {
        value["tag"]["slug"]
        for facet in page["facets"]
        for value in facet["values"]
        if value["selected"]
    }
    assert selected == set(chosen)


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("", "Framework"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "框架"),
        ("en-US,zh;q=0.9", "Framework"),
        ("de, zh;q=0.1", "框架"),
        ("zh;q=0", "Framework"),
        ("zh, en", "框架"),
    ],
)
async def test_titles_come_in_the_readers_language(server: Server, header: str, title: str) -> None:
    async with client_of(server.url, **{"Accept-Language": header}) as client:
        categories = await client.ask("{ tagCategories { name title tags { slug } } }")
    assert [category["name"] for category in categories[:5]] == [
        "framework", "task", "language", "hardware", "system",
    ]  # fmt: skip
    assert categories[0]["title"] == title
    assert {"slug": "framework/pytorch"} in categories[0]["tags"]


def test_a_strange_language_header_harms_nothing() -> None:
    assert not prefers_chinese(";;;,=,q=,zh;q=nan,zh;q=-1," * 1000)


TAG = "__typename ... on Error { message } ... on ValidationError { fields { field } }"


async def test_tags_are_renamed_without_losing_images(client: Client) -> None:
    made = 'mutation { createTag(slug: "cuda/12.4", categoryTitle: "CUDA") { __typename } }'
    assert (await client.ask(made))["__typename"] == "CreateTagPayload"
    await save(image(name="/a/one:1"), "cuda/12.4")

    async def rename(slug: str, to: str) -> JSON:
        query = f"""mutation($slug: String!, $to: String!) {{ renameTag(slug: $slug, to: $to) {{
            {TAG} ... on RenameTagPayload {{ tag {{ slug }} }} }} }}"""
        found: JSON = await client.ask(query, slug=slug, to=to)
        return found

    assert (await rename("cuda/12.4", "cuda/12-4"))["tag"] == {"slug": "cuda/12-4"}
    assert await names(client, filter={"tags": ["cuda/12-4"]}) == ["/a/one:1"]
    assert await names(client, filter={"tags": ["cuda/12.4"]}) == []
    assert (await rename("cuda/12-4", "hardware/cuda-12"))["tag"] == {"slug": "hardware/cuda-12"}
    assert await names(client, filter={"tags": ["hardware/cuda-12"]}) == ["/a/one:1"]
    assert (await rename("hardware/cuda-12", "hardware/cpu"))["fields"] == [{"field": "to"}]
    assert (await rename("hardware/cuda-12", "Hardware/CPU"))["fields"] == [{"field": "to"}]
    assert (await rename("hardware/cuda-12", "new/cpu"))["fields"] == [{"field": "to"}]
    assert (await rename("cuda/unheard", "cuda/of"))["__typename"] == "NotFoundError"

    remove = f"mutation($slug: String!) {{ removeTag(slug: $slug) {{ {TAG} }} }}"
    refused = await client.ask(remove, slug="hardware/cuda-12")
    assert refused["message"].startswith("slug: 1 images have this tag.")
    await Image.all().delete()
    assert (await client.ask(remove, slug="hardware/cuda-12"))["__typename"] == "RemoveTagPayload"
    assert (await client.ask(remove, slug="hardware/cuda-12"))["__typename"] == "NotFoundError"


async def test_categories_are_added_renamed_and_removed(client: Client) -> None:
    result = f"{TAG} ... on TagCategoryPayload {{ category {{ name title tags {{ slug }} }} }}"
    create = f"""mutation($name: String!) {{ createTagCategory(name: $name, title: "Team",
        titleChinese: "团队") {{ {result} }} }}"""
    assert (await client.ask(create, name="team"))["category"] == {
        "name": "team", "title": "Team", "tags": [],
    }  # fmt: skip
    assert (await client.ask(create, name="team"))["fields"] == [{"field": "name"}]
    assert (await client.ask(create, name="A b"))["fields"] == [{"field": "name"}]
    await client.ask('mutation { createTag(slug: "team/red") { __typename } }')
    update = f"""mutation($to: String, $title: String) {{ updateTagCategory(name: "team", to: $to,
        title: $title) {{ {result} }} }}"""
    assert (await client.ask(update, title="The team"))["category"]["title"] == "The team"
    assert (await client.ask(update, title="\x1b[31m"))["fields"] == [{"field": "title"}]
    assert (await client.ask(update, to="task"))["fields"] == [{"field": "to"}]
    assert (await client.ask(update, to="group"))["category"] == {
        "name": "group", "title": "The team", "tags": [{"slug": "group/red"}],
    }  # fmt: skip
    remove = f'mutation {{ removeTagCategory(name: "group") {{ {TAG} }} }}'
    assert (await client.ask(remove))["fields"] == [{"field": "name"}]
    await client.ask('mutation { removeTag(slug: "group/red") { __typename } }')
    assert (await client.ask(remove))["__typename"] == "RemoveTagCategoryPayload"
    assert (await client.ask(remove))["__typename"] == "NotFoundError"


UPDATE = """mutation($id: ID!, $input: UpdateImageInput!) { updateImage(id: $id, input: $input) {
    __typename ... on Error { message } ... on ValidationError { fields { field message } }
    ... on UpdateImagePayload { image { visibility description tags { slug }
      history { totalEdits: nodes { editedBy { name } changes { field before after } } } } } } }"""


async def edit(client: Client, row: Image, **given: object) -> JSON:
    found: JSON = await client.ask(UPDATE, id=ids.encode("Image", row.id), input=given)
    return found


async def test_what_is_left_out_stays_and_what_is_null_is_cleared(client: Client) -> None:
    row = await save(image(description="Old."), "task/nlp", "framework/jax")
    after = (await edit(client, row, description="New."))["image"]
    assert after["description"] == "New."
    assert after["visibility"] == "PUBLIC"
    assert after["tags"] == [{"slug": "framework/jax"}, {"slug": "task/nlp"}]
    after = (await edit(client, row, tags=["task/data"]))["image"]
    assert after["tags"] == [{"slug": "task/data"}]
    assert after["description"] == "New."
    after = (await edit(client, row, visibility=None, tags=None, description=None))["image"]
    assert (after["visibility"], after["description"], after["tags"]) == ("PRIVATE", "", [])
    refused = await edit(client, row, tags=["task/unheard"], description="\x1b[31m")
    assert [field["field"] for field in refused["fields"]] == ["description", "tags"]
    after = (await edit(client, row))["image"]
    assert after["visibility"] == "PRIVATE"


async def test_edits_at_once_do_not_undo_each_other(client: Client) -> None:
    row = await save(image(), "task/nlp")
    for number in range(5):
        await asyncio.gather(
            edit(client, row, description=f"Number {number}."),
            edit(client, row, visibility="PRIVATE" if number % 2 else "PUBLIC"),
            edit(client, row, tags=["task/data"] if number % 2 else ["task/vision", "task/data"]),
        )
    after = (await edit(client, row))["image"]
    assert after["description"] == "Number 4."
    assert after["visibility"] == "PUBLIC"
    assert after["tags"] == [{"slug": "task/data"}, {"slug": "task/vision"}]


async def test_every_edit_is_on_record(client: Client) -> None:
    row = await save(image(origin=Origin.GIT, source={"url": "https://x/y", "ref": "main"}))
    await edit(client, row, description="New.", visibility="PUBLIC")
    await edit(client, row)
    await edit(client, row, tags=["task/nlp", "task/data"])
    await edit(client, row, token="glpat-very-secret", tokenName="mine")
    query = """query($id: ID!, $after: String) { image(id: $id) { history(first: 2, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { editedBy { name } editedAt changes { field before after } } } } }"""
    id_ = ids.encode("Image", row.id)
    page = (await client.ask(query, id=id_))["history"]
    assert [node["changes"] for node in page["nodes"]] == [
        [
            {"field": "token", "before": None, "after": None},
            {"field": "tokenName", "before": None, "after": "mine"},
        ],
        [{"field": "tags", "before": "", "after": "task/data, task/nlp"}],
    ]
    assert page["pageInfo"]["hasNextPage"]
    rest = (await client.ask(query, id=id_, after=page["pageInfo"]["endCursor"]))["history"]
    assert [node["changes"] for node in rest["nodes"]] == [
        [{"field": "description", "before": "", "after": "New."}]
    ]
    assert not rest["pageInfo"]["hasNextPage"]
    viewer = (await client.ask("{ viewer { name } }"))["name"]
    assert {node["editedBy"]["name"] for node in page["nodes"]} == {viewer}
