"""What can go wrong while finding passages and answering from them."""

from common.errors import ApplicationError, Conflict, Forbidden, NotFound, Unavailable


class DocumentNotFound(NotFound):
    """No document with this id that the caller may see."""

    code = "document_not_found"
    message = "There is no such document."


class LoadFailed(ApplicationError):
    """A file that cannot be read as a document; `code` says why, a retry does not help."""

    code = "load_failed"
    message = "The file could not be read."


class ProviderError(Unavailable):
    """A back end (embedder, vector store, generator) did not do its work."""

    code = "provider_error"
    message = "A service that answers depend on failed."
    transient = False


class ProviderUnavailable(ProviderError):
    """It could not be reached, or said that it cannot serve now (429, 5xx, cut connection)."""

    code = "provider_unavailable"
    message = "A service that answers depend on is not available."
    transient = True


class ProviderTimeout(ProviderUnavailable):
    """It did not finish within its deadline."""

    code = "provider_timeout"
    message = "A service that answers depend on took too long."


class ProviderRejected(ProviderError):
    """It refused this request for good (4xx: key, model, input)."""

    code = "provider_rejected"
    message = "A service that answers depend on refused the request."


class ProviderMalformed(ProviderError):
    """It answered with something that is not an answer (count, dimension, shape)."""

    code = "provider_malformed"
    message = "A service that answers depend on sent an answer that cannot be used."
    transient = True


class NotConfigured(Unavailable):
    """A back end is named in the settings that cannot be built as it stands."""

    code = "not_configured"
    message = "A back end is not configured."


class LeaseLost(ApplicationError):
    """A job that another worker has taken over, or that newer content has overtaken."""

    code = "lease_lost"
    message = "This job is no longer this worker's."


class VersionNotFound(NotFound):
    """The document has no version of this number that the caller may see."""

    code = "version_not_found"
    message = "The document has no such version."


class VersionNotReady(Conflict):
    """A version that was never indexed cannot be what answers come from."""

    code = "version_not_ready"
    message = "This version was never ready."


class PublicIsForStaff(Forbidden):
    """Only staff may put documents before everybody, or change those that are."""

    code = "public_is_for_staff"
    message = "Only staff may add or change public documents."


class GenerationNotFound(NotFound):
    """There is no generation of the index to go back to."""

    code = "generation_not_found"
    message = "There is no such generation of the index."


class GenerationIncomplete(Conflict):
    """A generation that lacks vectors cannot answer."""

    code = "generation_incomplete"
    message = "This generation of the index is not whole yet."
