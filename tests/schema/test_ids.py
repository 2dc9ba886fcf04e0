import base64

import pytest

from schema import ids


def text(plain: str) -> str:
    return base64.b64encode(plain.encode()).decode()


@pytest.mark.parametrize("key", [1, 12, 2**63 - 1])
def test_an_id_leads_back_to_its_key(key: int) -> None:
    id_ = ids.encode("Image", key)

    assert ids.decode("Image", id_) == key
    assert ids.parse(id_) == ("Image", str(key))


def test_a_key_may_be_text_with_colons() -> None:
    id_ = ids.encode("TrainingTask", "team-a/PyTorchJob/a:b")

    assert ids.decode_text("TrainingTask", id_) == "team-a/PyTorchJob/a:b"
    assert ids.decode("TrainingTask", id_) is None


def test_an_id_of_another_type_names_nothing() -> None:
    assert ids.decode("Build", ids.encode("Image", 1)) is None
    assert ids.decode_text("Build", ids.encode("Image", 1)) is None


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "1",
        "é",
        "====",
        text("Image"),
        text("Image:"),
        text("Image:-1"),
        text("Image:01"),
        text("Image: 1"),
        text("Image:+1"),
        text("Image:1_0"),
        text("Image:١"),
        text(f"Image:{2**63}"),
        text("Image:" + "9" * 5000),
        text("Image:1") + "\n",
        text("Image:1").rstrip("=") + "!" + "=" * 10,
        base64.b64encode(b"Image:\xff").decode(),
    ],
)
def test_what_is_malformed_names_nothing(id_: str) -> None:
    assert ids.decode("Image", id_) is None
