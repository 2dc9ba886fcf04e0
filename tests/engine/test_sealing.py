import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from engine.sealing import SealBroken, Sealer, add_key, key_of

OLD, NEW = "old-" + "o" * 40, "new-" + "n" * 40


def test_a_sealed_text_opens_for_its_record_alone() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("glpat-sécret", "build:7")
    assert "glpat" not in sealed
    assert sealer.open(sealed, "build:7") == "glpat-sécret"
    with pytest.raises(SealBroken, match="not of this record"):
        sealer.open(sealed, "build:8")


def test_the_same_text_never_looks_the_same() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal("a", "r") != sealer.seal("a", "r")


@pytest.mark.parametrize("position", [-2, -20, 15])
def test_a_changed_text_does_not_open(position: int) -> None:
    sealer = Sealer([NEW])
    sealed = list(sealer.seal("secret", "r"))
    sealed[position] = "A" if sealed[position] != "A" else "B"
    with pytest.raises(SealBroken, match="enter it again") as broken:
        sealer.open("".join(sealed), "r")
    assert "secret" not in broken.value.message.replace("saved secret", "")


@pytest.mark.parametrize("text", ["", "plain", "v2.a.b", "v1.a.b.c", "v1.00000000.%%%"])
def test_what_is_no_sealed_text(text: str) -> None:
    with pytest.raises(SealBroken, match="cannot be read"):
        Sealer([NEW]).open(text, "r")


def test_a_sealed_text_that_was_cut_off() -> None:
    sealer = Sealer([NEW])
    version, key_id, _ = sealer.seal("secret", "r").split(".")
    with pytest.raises(SealBroken, match="was changed"):
        sealer.open(f"{version}.{key_id}.AAAA", "r")


def test_rotation() -> None:
    sealed = Sealer([OLD]).seal("secret", "r")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "r") == "secret"
    assert both.needs_rotation(sealed)
    assert not both.needs_rotation(both.seal("secret", "r"))
    with pytest.raises(SealBroken, match="DARKROOM_SECRET_KEY"):
        Sealer([NEW]).open(sealed, "r")


def test_keys_from_the_setting(tmp_path: Path) -> None:
    sealer = Sealer.from_settings(f" {NEW} , {OLD} ", tmp_path)
    assert sealer.open(Sealer([OLD]).seal("secret", "r"), "r") == "secret"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SealBroken, match="openssl rand"):
        Sealer.from_settings("short", tmp_path)
    with pytest.raises(SealBroken, match="no key"):
        Sealer.from_settings(" , ", tmp_path)


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    place = tmp_path / "data"
    sealed = Sealer.from_settings(None, place).seal("secret", "r")
    assert Sealer.from_settings("", place).open(sealed, "r") == "secret"
    (key,) = place.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    with pytest.raises(SealBroken, match="chmod 600"):
        Sealer.from_settings(None, place)


def test_processes_that_race_get_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        keys = set(pool.map(key_of, [tmp_path] * 16))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_new_key_in_the_data_directory_is_noticed_by_those_who_have_the_old_one(
    tmp_path: Path,
) -> None:
    before = Sealer.from_settings(None, tmp_path)
    sealed = before.seal("secret", "r")
    add_key(tmp_path)
    after = Sealer.from_settings(None, tmp_path)
    assert after.needs_rotation(sealed)
    assert after.open(sealed, "r") == "secret"
    anew = before.seal("secret", "r")
    assert not after.needs_rotation(anew)
    assert before.open(after.seal("other", "r"), "r") == "other"
    (key,) = tmp_path.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
