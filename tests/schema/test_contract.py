"""The comparison that holds the schema to its contract must itself be able to fail."""

import pytest

from tests.schema.contract import breaches, undescribed

CONTRACT = """
type Query { image(id: ID!, first: Int! = 20): Image find(filter: Filter): [Thing!]! }
interface Node { id: ID! }
"What the registry holds."
type Image implements Node {
  id: ID!
  "As the user gave it."
  name: String
  status: Status!
}
enum Status { READY FAILED }
type Gone { message: String! }
union Thing = Image | Gone
input Filter { tags: [String!]! = [] search: String }
scalar Time
type Mutation { go(filter: Filter! = {}): Int }
"""


def test_a_schema_keeps_its_own_contract() -> None:
    assert breaches(CONTRACT, CONTRACT) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: String", "name: String size: Int"),
        ("READY FAILED", "READY FAILED LOST"),
        ("Image | Gone", "Image | Gone | Lost"),
        ("scalar Time", "scalar Time type Lost { id: ID! }"),
        ("search: String", "search: String mine: Boolean"),
        ("search: String", "search: String limit: Int! = 5"),
        ("id: ID!, first", "id: ID!, after: String, first"),
    ],
)
def test_what_is_added_breaks_nothing(before: str, after: str) -> None:
    schema = CONTRACT.replace(before, after, 1)
    if "Lost" in after and "type Lost" not in schema:
        schema += "type Lost { id: ID! }"

    assert schema != CONTRACT
    assert breaches(CONTRACT, schema) == []


@pytest.mark.parametrize(
    ("before", "after", "breach"),
    [
        ("scalar Time", "", "Time is missing"),
        ("scalar Time", "enum Time { NOW }", "Time is a GraphQLEnumType, not a GraphQLScalarType"),
        ("name: String", "title: String", "Image.name is missing"),
        ("name: String", "name: String!", "Image.name is String!, not String"),
        ("name: String", "name: Int", "Image.name is Int, not String"),
        ("status: Status!", "status: Status", "Image.status is Status, not Status!"),
        ("implements Node", "", "Image.Node is missing"),
        ("READY FAILED", "READY", "Status.FAILED is missing"),
        ("Image | Gone", "Image", "Thing.Gone is missing"),
        ("first: Int! = 20", "last: Int! = 20", "Query.image.first is missing"),
        ("first: Int! = 20", "first: Int = 20", "Query.image.first is Int, not Int!"),
        ("= 20", "= 50", "Query.image.first is 50 by default, not 20"),
        ("= 20", "", "Query.image.first is nothing by default, not 20"),
        ("id: ID!, first", "id: ID!, by: ID!, first", "Query.image.by is added, and required"),
        ("search: String", "", "Filter.search is missing"),
        ("search: String", "search: [String]", "Filter.search is [String], not String"),
        (
            "search: String",
            "search: String = null",
            "Filter.search is null by default, not nothing",
        ),
        ("= []", '= ["a"]', 'Filter.tags is ["a"] by default, not []'),
        ("search: String", "search: String by: ID!", "Filter.by is added, and required"),
        ("= {}", '= {search: "a"}', 'Mutation.go.filter is { search: "a" } by default, not {  }'),
        (
            '"As the user gave it."',
            '"The name."',
            "Image.name is described as 'The name.', not 'As the user gave it.'",
        ),
        (
            '"What the registry holds."',
            "",
            "Image is described as None, not 'What the registry holds.'",
        ),
    ],
)
def test_what_is_changed_is_a_breach(before: str, after: str, breach: str) -> None:
    schema = CONTRACT.replace(before, after, 1)

    assert breach in breaches(CONTRACT, schema)


def test_a_missing_root_is_a_breach() -> None:
    without = CONTRACT.replace("type Mutation", "type Mutations")

    assert "mutation_type is None, not Mutation" in breaches(CONTRACT, without)


def test_line_breaks_are_no_part_of_a_description() -> None:
    broken = CONTRACT.replace('"As the user gave it."', '"""\nAs the user\ngave it.\n"""')

    assert breaches(CONTRACT, broken) == []


def test_every_element_without_a_description_is_named() -> None:
    schema = """
    "The root." type Query { "An image." image("Its id." id: ID!, first: Int): Int plain: E }
    enum E { "A value." A B }
    "An input." input I { "A tag." tag: String other: String }
    union U = Query
    scalar S
    """

    assert sorted(undescribed(schema)) == [
        "E",
        "E.B",
        "I.other",
        "Query.image.first",
        "Query.plain",
        "S",
        "U",
    ]
