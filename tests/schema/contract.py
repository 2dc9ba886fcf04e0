"""Holding a schema to a contract: what the contract names must be there, with the same meaning."""

from collections.abc import Iterator, Mapping

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    is_introspection_type,
    is_required_argument,
    is_required_input_field,
    is_specified_scalar_type,
    print_ast,
)

Described = GraphQLNamedType | GraphQLField | GraphQLArgument | GraphQLInputField
Fields = Mapping[str, GraphQLField]
Inputs = Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField]


def breaches(contract_sdl: str, schema_sdl: str) -> list[str]:
    """Every way in which the schema breaks the contract; more than the contract is no breach.

    Types, fields, arguments, defaults and nullability must be the same, since generated clients
    depend on each. A description in the contract is its meaning, and must be there word for word.
    What is added must not be required of a caller.
    """
    contract, schema = build_schema(contract_sdl), build_schema(schema_sdl)
    return [*_roots(contract, schema), *_types(contract, schema)]


def undescribed(schema_sdl: str) -> list[str]:
    """Every type, field, argument, input field and enum value that has no description."""
    schema = build_schema(schema_sdl)
    return [path for path, description in _descriptions(schema) if not (description or "").strip()]


def _roots(contract: GraphQLSchema, schema: GraphQLSchema) -> Iterator[str]:
    for root in ("query_type", "mutation_type", "subscription_type"):
        wanted, found = getattr(contract, root), getattr(schema, root)
        if wanted and (not found or found.name != wanted.name):
            yield f"{root} is {found}, not {wanted}"


def _types(contract: GraphQLSchema, schema: GraphQLSchema) -> Iterator[str]:
    for name, wanted in _own_types(contract).items():
        found = schema.type_map.get(name)
        if found is None:
            yield f"{name} is missing"
        elif type(found) is not type(wanted):
            yield f"{name} is a {type(found).__name__}, not a {type(wanted).__name__}"
        else:
            yield from _description(name, wanted, found)
            yield from _type(wanted, found)


def _type(wanted: GraphQLNamedType, found: GraphQLNamedType) -> Iterator[str]:
    name = wanted.name
    if isinstance(wanted, GraphQLEnumType) and isinstance(found, GraphQLEnumType):
        yield from _missing(name, wanted.values, found.values)
    elif isinstance(wanted, GraphQLUnionType) and isinstance(found, GraphQLUnionType):
        yield from _missing(name, _names(wanted.types), _names(found.types))
    elif isinstance(wanted, GraphQLInputObjectType) and isinstance(found, GraphQLInputObjectType):
        yield from _inputs(name, wanted.fields, found.fields)
    elif isinstance(wanted, GraphQLObjectType | GraphQLInterfaceType) and isinstance(
        found, GraphQLObjectType | GraphQLInterfaceType
    ):
        yield from _missing(name, _names(wanted.interfaces), _names(found.interfaces))
        yield from _fields(name, wanted.fields, found.fields)


def _fields(owner: str, wanted: Fields, found: Fields) -> Iterator[str]:
    yield from _missing(owner, wanted, found)
    for name in wanted.keys() & found.keys():
        path = f"{owner}.{name}"
        yield from _same_type(path, wanted[name], found[name])
        yield from _description(path, wanted[name], found[name])
        yield from _inputs(path, wanted[name].args, found[name].args)


def _inputs(owner: str, wanted: Inputs, found: Inputs) -> Iterator[str]:
    yield from _missing(owner, wanted, found)
    for name in wanted.keys() & found.keys():
        path = f"{owner}.{name}"
        yield from _same_type(path, wanted[name], found[name])
        yield from _description(path, wanted[name], found[name])
        yield from _same_default(path, wanted[name], found[name])
    for name in found.keys() - wanted.keys():
        if _is_required(found[name]):
            yield f"{owner}.{name} is added, and required"


def _same_type(path: str, wanted: Described, found: Described) -> Iterator[str]:
    wanted_type, found_type = getattr(wanted, "type", None), getattr(found, "type", None)
    if str(wanted_type) != str(found_type):
        yield f"{path} is {found_type}, not {wanted_type}"


def _same_default(
    path: str,
    wanted: GraphQLArgument | GraphQLInputField,
    found: GraphQLArgument | GraphQLInputField,
) -> Iterator[str]:
    """Null by default is not the same as nothing: a resolver can tell them apart."""
    if _default(wanted) != _default(found):
        yield f"{path} is {_default(found)} by default, not {_default(wanted)}"


def _default(value: GraphQLArgument | GraphQLInputField) -> str:
    """As it is written; graphql-core keeps a default that came from SDL as a literal only."""
    if value.default is None:
        return "nothing"
    assert value.default.literal is not None
    return print_ast(value.default.literal)


def _is_required(value: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(value, GraphQLArgument):
        return is_required_argument(value)
    return is_required_input_field(value)


def _description(path: str, wanted: Described, found: Described) -> Iterator[str]:
    # How a text is broken into lines is not part of its meaning.
    words = (wanted.description or "").split()
    if words and words != (found.description or "").split():
        yield f"{path} is described as {found.description!r}, not {wanted.description!r}"


def _missing(
    owner: str, wanted: Mapping[str, object], found: Mapping[str, object]
) -> Iterator[str]:
    for name in wanted:
        if name not in found:
            yield f"{owner}.{name} is missing"


def _names(
    types: tuple[GraphQLObjectType, ...] | tuple[GraphQLInterfaceType, ...],
) -> dict[str, GraphQLNamedType]:
    return {type_.name: type_ for type_ in types}


def _own_types(schema: GraphQLSchema) -> dict[str, GraphQLNamedType]:
    return {
        name: type_
        for name, type_ in schema.type_map.items()
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_)
    }


def _descriptions(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for name, type_ in _own_types(schema).items():
        yield name, type_.description
        members: Mapping[str, object] = getattr(type_, "fields", getattr(type_, "values", {}))
        for member, value in members.items():
            yield f"{name}.{member}", getattr(value, "description", None)
            for argument, taken in getattr(value, "args", {}).items():
                yield f"{name}.{member}.{argument}", taken.description
