"""How large an operation is, before anything of it is validated or run.

Each fragment is measured once, however often it is spread: by fragments, a document of a few
hundred bytes can say what would be gigabytes without. What is wrong in other ways is left to
validation, which comes after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_object_type,
)

# A list whose length nobody gives, such as a build's steps, is taken to be this long.
USUAL = 10
# Connections repeat their page in `edges` and `nodes`: the page's own argument has counted it.
_PAGES = frozenset({"nodes", "edges"})
MOST = 2**62


@dataclass(slots=True)
class Measure:
    """Sizes of a selection: levels, aliases, and fields of the fullest possible answer."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0
    introspects: bool = False

    def add(self, other: "Measure") -> None:
        """Put another selection beside this one."""
        self.depth = max(self.depth, other.depth)
        self.aliases = min(MOST, self.aliases + other.aliases)
        self.cost = min(MOST, self.cost + other.cost)
        self.introspects |= other.introspects


class Measuring:
    """Measures the operations of one document under the variables of one request."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        page_size: int,
    ) -> None:
        self._schema = schema
        self._page_size = page_size
        self._variables = variables
        self._operations = [
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}
        self._defaults: dict[str, ValueNode | None] = {}

    def whole(self) -> Measure:
        """The largest of everything in the document, whichever operation is asked for."""
        found = Measure()
        for operation in self._operations:
            root = self._schema.get_root_type(operation.operation)
            self._measured.clear()  # their sizes may depend on the operation's variables
            self._defaults = {
                node.variable.name.value: node.default_value
                for node in operation.variable_definitions or ()
            }
            found.add(self._selections(operation.selection_set, root))
        return found

    def _selections(
        self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None
    ) -> Measure:
        found = Measure()
        for node in selections.selections if selections else ():
            found.add(self._selection(node, parent))
        return found

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType | None) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            narrowed = self._schema.get_type(condition.name.value) if condition else parent
            return self._selections(node.selection_set, narrowed)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        return Measure()

    def _fragment(self, name: str) -> Measure:
        if name not in self._measured:
            self._measured[name] = Measure()  # of a circle, which validation refuses
            if fragment := self._fragments.get(name):
                type_ = self._schema.get_type(fragment.type_condition.name.value)
                self._measured[name] = self._selections(fragment.selection_set, type_)
        return self._measured[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        name = node.name.value
        declared = parent.fields.get(name) if is_object_type(parent) else None
        below = self._selections(
            node.selection_set, get_named_type(declared.type) if declared else None
        )
        times = self._times(node, declared)
        return Measure(
            depth=below.depth + 1,
            aliases=below.aliases + (node.alias is not None),
            cost=min(MOST, 1 + times * below.cost),
            introspects=below.introspects or name in ("__schema", "__type"),
        )

    def _times(self, node: FieldNode, declared: Any) -> int:
        """How often what is below the field may come."""
        if declared is not None and "first" in declared.args:
            given = next((a for a in node.arguments or () if a.name.value == "first"), None)
            number = self._number(given, declared.args["first"].default_value)
            # A larger page is refused when it is asked for.
            return min(max(1, number), self._page_size)
        listed = declared is not None and is_list_type(get_nullable_type(declared.type))
        return USUAL if listed and node.name.value not in _PAGES else 1

    def _number(self, given: ArgumentNode | None, default: Any) -> int:
        value: ValueNode | None = given.value if given else None
        if isinstance(value, VariableNode):
            name = value.name.value
            if name in self._variables:
                number = self._variables[name]
                return number if isinstance(number, int) else 1
            value = self._defaults.get(name)
        if isinstance(value, IntValueNode):
            return int(value.value[:19])
        return default if isinstance(default, int) else 1
