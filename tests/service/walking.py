"""Queries over a whole schema: every field of every type, with arguments that a test gives."""

from collections.abc import Iterator, Mapping

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)

DEEP = 3  # levels below a root field: from the image to its builds and to their images


class Walk:
    """Writes queries; `values` has a literal for each argument, by its name or its type."""

    def __init__(self, schema: GraphQLSchema, values: Mapping[str, str]) -> None:
        self._schema = schema
        self._values = values

    def queries(self, root: GraphQLObjectType, operation: str) -> Iterator[str]:
        """One operation for each root field, that selects all there is below it."""
        for name, field in root.fields.items():
            yield f"{operation} {{ {self._field(name, field, DEEP)} }}"

    def _field(self, name: str, field: GraphQLField, depth: int) -> str:
        return f"{name}{self._arguments(field)}{self._selection(field.type, depth)}"

    def _arguments(self, field: GraphQLField) -> str:
        given = [
            f"{name}: {literal}"
            for name, argument in field.args.items()
            if (literal := self._literal(name, argument)) is not None
        ]
        return f"({', '.join(given)})" if given else ""

    def _literal(self, name: str, argument: GraphQLArgument) -> str | None:
        literal = self._values.get(name, self._values.get(str(get_named_type(argument.type))))
        assert literal or not is_required_argument(argument), f"no value for {name}"
        return literal

    def _selection(self, type_: GraphQLOutputType, depth: int) -> str:
        named = get_named_type(type_)
        if isinstance(named, GraphQLObjectType):
            return f" {{ {self._fields(named, depth)} }}"
        if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
            kinds = self._schema.get_possible_types(named)
            parts = [f"... on {kind.name} {{ {self._fields(kind, depth)} }}" for kind in kinds]
            return f" {{ __typename {' '.join(parts)} }}"
        return ""

    def _fields(self, kind: GraphQLObjectType, depth: int) -> str:
        parts = ["__typename"]
        for name, field in kind.fields.items():
            named = get_named_type(field.type)
            if depth > 0 or not isinstance(
                named, GraphQLObjectType | GraphQLUnionType | GraphQLInterfaceType
            ):
                # Members of a union may have fields of one name and of different types.
                parts.append(f"{kind.name}_{name}: {self._field(name, field, depth - 1)}")
        return " ".join(parts)
