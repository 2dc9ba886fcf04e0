"""Which of the service's two languages a client prefers (RFC 9110, Accept-Language)."""

_LONGEST = 200  # characters that are looked at; browsers send fewer


def prefers_chinese(header: str) -> bool:
    """Whether Chinese stands before English; where nothing is said, English does."""
    weights = {"en": 0.0, "zh": 0.0}
    for entry in header[:_LONGEST].split(","):
        tag, _, parameter = entry.partition(";")
        language = tag.strip().lower().split("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameter))
    return weights["zh"] > weights["en"] or (
        weights["zh"] == weights["en"] > 0 and _first(header, "zh", "en") == "zh"
    )


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def _first(header: str, *languages: str) -> str:
    """The language that is named first, of those that are named."""
    return min(languages, key=lambda language: header.lower().find(language))
