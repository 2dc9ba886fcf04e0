"""The nouns against the contract, which stands beside the project where it is developed."""

from pathlib import Path

import pytest

from tests.schema.contract import breaches, undescribed
from tests.schema.roots import schema

CONTRACT = Path(__file__).parents[3] / "shared" / "contract.graphql"
ROOTS = ("Query", "Mutation", "Subscription", "mutation_type", "subscription_type")


def test_the_nouns_keep_the_contract() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract is not beside the project's folder")

    found = breaches(CONTRACT.read_text(), schema.as_str())

    assert [breach for breach in found if not breach.startswith(ROOTS)] == []


def test_every_noun_and_all_of_its_parts_are_described() -> None:
    assert undescribed(schema.as_str()) == []
