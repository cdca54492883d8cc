"""What can go wrong in a conversation."""

from common.errors import Conflict, NotFound, Unavailable


class SessionNotFound(NotFound):
    """No session with this id that is the caller's own."""

    code = "session_not_found"
    message = "There is no such chat session."


class MessageNotFound(NotFound):
    """No message with this id in a session of the caller's."""

    code = "message_not_found"
    message = "There is no such message."


class TooManySessions(Conflict):
    """The caller has as many sessions as one may have."""

    code = "too_many_sessions"
    message = "You have as many chat sessions as you may have. Delete one first."


class SessionFull(Conflict):
    """The session has as many messages as one may have."""

    code = "session_full"
    message = "This chat session has as many messages as it may have. Open a new one."


class AnswerRunning(Conflict):
    """The question is being answered now; a second answer would race the first."""

    code = "answer_running"
    message = "An answer to this question is being written. Stop it first."


class NotAnAnswer(Conflict):
    """Asked of a question what only an answer can do."""

    code = "not_an_answer"
    message = "Only an answer can do that."


class TooBusy(Unavailable):
    """This server writes as many answers as it may at once."""

    code = "too_busy"
    message = "The server is writing as many answers as it can. Try again in a moment."
