"""Secrets never reach a log: those that are known by value, and those that stand in addresses."""

import re
from collections.abc import Iterable

MASKED = "[secret]"
# Shorter secrets would mask ordinary words, and are no secrets.
SHORTEST_SECRET = 4
# Characters of a user's name and password in an address; longer ones are no longer such.
_LONGEST_NAME, _LONGEST_PASSWORD = 256, 4096

# What stands before the host in `https://name:password@host` (RFC 3986, 3.2.1), for any scheme; in
# http also a name alone, since many servers take a token as the name. `ssh://git@…` is no secret.
# Quotes end an address: `"http://host:80","mail":"a@b"` has no password.
_NAME = rf"[^\s/?#@:\"'`<>\\]{{0,{_LONGEST_NAME}}}"
_PASSWORD = rf"[^\s/?#\"'`<>\\]{{1,{_LONGEST_PASSWORD}}}"
_TOKEN = rf"[^\s/?#@:\"'`<>\\]{{1,{_LONGEST_PASSWORD}}}"
_LOGIN = rf"(?<=://){_NAME}:{_PASSWORD}(?=@)|(?:(?<=http://)|(?<=https://)){_TOKEN}(?=@)"
_WITH_LOGIN = rf"://{_NAME}:{_PASSWORD}@|https?://{_TOKEN}@"


class Masker:
    """Replaces every secret in a text.

    A secret of several lines (a key file) is masked line by line, as a log shows it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._parts = {
            line.strip()
            for secret in secrets
            for line in secret.splitlines()
            if len(line.strip()) >= SHORTEST_SECRET
        }
        # The longest first: one secret may begin with another.
        known = [re.escape(part) for part in sorted(self._parts, key=len, reverse=True)]
        # ASCII, so that both patterns agree on what a space is.
        self._pattern = re.compile("|".join([*known, _LOGIN]), re.ASCII)
        self._whole = re.compile("|".join([*known, _WITH_LOGIN]).encode())
        lengths = (len(part.encode()) for part in self._parts)
        # Bytes that must be seen before and after a place to know whether a secret is there.
        self.reach = max([*lengths, _LONGEST_NAME + 1 + _LONGEST_PASSWORD]) + len("https://@")

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        # Most text has none, and looking for plain strings is many times faster than the pattern.
        if "://" in text or any(part in text for part in self._parts):
            return self._pattern.sub(MASKED, text)
        return text

    def before(self, data: bytes, place: int) -> int:
        """The last place in `data`, not after `place`, where a cut would hide no secret from us."""
        for found in self._whole.finditer(data):
            if found.start() >= place:
                break
            if found.end() > place:
                return found.start()
        return place
