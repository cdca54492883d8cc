"""Addresses of this app."""

from django.urls import path

from rag.views.documents import DocumentListView, DocumentView
from rag.views.explain import ExplainView
from rag.views.index import IndexView
from rag.views.search import SearchView
from rag.views.versions import ChunkListView, ContentView, RollbackView, VersionListView

DOCUMENT = "documents/<uuid:document_id>/"

urlpatterns = [
    path("search/", SearchView.as_view(), name="rag-search"),
    path("explain/", ExplainView.as_view(), name="rag-explain"),
    path("index/", IndexView.as_view(), name="rag-index"),
    path("documents/", DocumentListView.as_view(), name="rag-documents"),
    path(DOCUMENT, DocumentView.as_view(), name="rag-document"),
    path(f"{DOCUMENT}versions/", VersionListView.as_view(), name="rag-versions"),
    path(f"{DOCUMENT}rollback/", RollbackView.as_view(), name="rag-rollback"),
    path(f"{DOCUMENT}chunks/", ChunkListView.as_view(), name="rag-chunks"),
    path(f"{DOCUMENT}content/", ContentView.as_view(), name="rag-content"),
]
