"""Files as documents: one module a format."""

from rag.loaders.base import Loaded, LoadError
from rag.loaders.load import load_file, media_type_of, title_from_name

__all__ = ["LoadError", "Loaded", "load_file", "media_type_of", "title_from_name"]
