"""What a ValidationError says."""

from tests.fixtures.service import JSON


def fields(answer: JSON) -> dict[str, str]:
    """The messages of a ValidationError by field; each field once here."""
    assert answer["__typename"] == "ValidationError", answer
    return {problem["field"]: problem["message"] for problem in answer["fields"]}
