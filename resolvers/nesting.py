"""Refusing what is nested too deeply before the parser, which recurses, sees it."""

from graphql import GraphQLSyntaxError, Lexer, Source, TokenKind

DEEPEST = 100  # brackets within each other; GraphiQL's introspection query has 14

_OPEN = (TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L)
_CLOSE = (TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R)


def is_too_deep(query: str, most_tokens: int) -> bool:
    """Whether brackets stand in each other deeper than any query needs."""
    if query.count("{") + query.count("[") + query.count("(") <= DEEPEST:
        return False
    lexer, depth = Lexer(Source(query)), 0
    try:
        for _ in range(most_tokens):
            kind = lexer.advance().kind
            depth += (kind in _OPEN) - (kind in _CLOSE)
            if depth > DEEPEST:
                return True
            if kind is TokenKind.EOF:
                break
    except GraphQLSyntaxError:
        pass  # the parser will say so
    return False
