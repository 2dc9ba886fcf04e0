"""A thousand people follow one build by the same document: each of its events is executed once."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, ClassVar

from graphql import ExecutionResult
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.log import BuildLogChunk

# Of this many events the results are kept for who comes next.
KEPT = 128
# A larger text takes longer to encode than to execute, and would be held for nothing.
LARGEST = 16 * 1024


class SharedEvents(StrawberryGraphQLCoreExecutionContext):
    """Executes what nobody has executed just before.

    What a chunk of a log says is the same for all who may see it, and whether they may is settled
    before it gets here.
    """

    _results: ClassVar[OrderedDict[Hashable, tuple[BuildLogChunk, ExecutionResult]]] = OrderedDict()

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The same event and the same operation have the same result."""
        event = self.root_value
        if not isinstance(event, BuildLogChunk) or len(event.text) > LARGEST:
            return super().execute_operation(serially)
        key = (event.cursor, id(event.text), *self._asked())
        if key in self._results:
            return self._results[key][1]
        result = super().execute_operation(serially)
        if isinstance(result, ExecutionResult) and not result.errors:
            # The event is kept too: its text's identity is in the key.
            self._results[key] = (event, result)
            if len(self._results) > KEPT:
                self._results.popitem(last=False)
        return result

    def _asked(self) -> tuple[Hashable, ...]:
        """The document, which of its operations, and the variables."""
        location, name = self.operation.loc, self.operation.name
        document = location.source.body if location else id(self.operation)
        return document, name and name.value, repr(self.variable_values.coerced)
