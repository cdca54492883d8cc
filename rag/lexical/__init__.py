"""The lexical leg: BM25 by the database's own full text, filtered inside the query."""

from rag.lexical.search import LexicalResult, search_lexical

__all__ = ["LexicalResult", "search_lexical"]
