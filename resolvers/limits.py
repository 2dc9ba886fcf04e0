"""What one operation may ask of the service, and the documents that were found to be in order.

Strawberry's own limits measure a fragment anew wherever it is spread, which a document can make
take for ever, and come beside validation, whose cost grows with what they would refuse.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from graphql import DocumentNode, GraphQLError
from strawberry.extensions import SchemaExtension

from resolvers.measure import Measure, Measuring
from resolvers.texts import has_unusable, has_unusable_literal
from settings import Settings

if TYPE_CHECKING:
    from resolvers.context import RequestContext

# Documents that are remembered as valid, and how long they may be: a front end has some dozens.
REMEMBERED = 128
LONGEST = 8_000  # characters


class Limits(SchemaExtension):
    """Refuses what is too large before it is validated; validates what it knows only once."""

    def on_parse(self) -> Iterator[None]:
        """Bound the parser, and spare it what it has parsed already."""
        context = self.execution_context
        self._known = _documents.get(context.query)
        if self._known is not None:
            context.graphql_document = self._known
        context.parse_options["max_tokens"] = self._settings.query_tokens
        yield

    def on_validate(self) -> Iterator[None]:
        """Measure first, for the price of one walk; then validate, unless that was done."""
        context = self.execution_context
        document = context.graphql_document
        if document is None:
            yield
            return
        graph = cast("Any", context.schema)._schema
        variables = context.variables or {}
        measure = Measuring(graph, document, variables, self._settings.page_size).whole()
        problem = refusal(measure, self._settings)
        if has_unusable(variables) or has_unusable_literal(context.query or "", document):
            problem = "A text in the request holds NUL or half a character. Leave them out."
        if problem:
            context.pre_execution_errors = [GraphQLError(problem)]
        elif self._known is not None:
            context.pre_execution_errors = []
        yield
        if not context.pre_execution_errors:
            _documents.keep(context.query, document)

    @property
    def _settings(self) -> Settings:
        context: RequestContext = self.execution_context.context
        return context.services.settings


def refusal(measure: Measure, settings: Settings) -> str | None:
    """Why an operation is too large, or None."""
    if measure.introspects and not settings.introspection:
        return "This service does not answer questions about its schema."
    if measure.depth > settings.query_depth:
        return _too("levels of fields", measure.depth, settings.query_depth)
    if measure.aliases > settings.query_aliases:
        return _too("aliases", measure.aliases, settings.query_aliases)
    if measure.cost > settings.query_cost and not measure.introspects:
        what = "fields, were every page full. Ask for smaller pages, or for fewer fields"
        return (
            f"The operation may answer with {measure.cost} {what}; {settings.query_cost} is most."
        )
    return None


def _too(what: str, count: int, most: int) -> str:
    return f"The operation has {count} {what}; at most {most} are answered. Ask in parts."


class _Documents:
    """Valid documents by their text, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()

    def get(self, text: str | None) -> DocumentNode | None:
        found = self._kept.get(text or "")
        if found is not None:
            self._kept.move_to_end(text or "")
        return found

    def keep(self, text: str | None, document: DocumentNode) -> None:
        if text and len(text) <= LONGEST:
            self._kept[text] = document
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)


_documents = _Documents()
