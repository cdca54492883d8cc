"""Forms that share their fields share nothing else."""

import pytest
from rest_framework.exceptions import ValidationError

from chat.serializers import DirectMessageForm, MessageForm


def test_fields_are_built_once_for_each_class() -> None:
    assert MessageForm(data={}).fields["content"] is MessageForm().fields["content"]
    assert set(DirectMessageForm().fields) - set(MessageForm().fields) == {"session_id"}
    assert DirectMessageForm().fields["content"] is not MessageForm().fields["content"]


def test_forms_at_once_keep_their_own_data_and_errors() -> None:
    good = MessageForm(data={"content": " How long? ", "top_k": 3})
    bad = MessageForm(data={"content": 5, "stream": "yes"})
    other = MessageForm(data={"content": "Why?"})

    assert good.is_valid()
    assert not bad.is_valid()
    assert other.is_valid()
    assert good.validated_data == {"content": "How long?", "top_k": 3, "stream": False}
    assert set(bad.errors) == {"content", "stream"}
    assert not good.errors
    assert other.validated_data == {"content": "Why?", "stream": False}
    with pytest.raises(ValidationError):
        bad.is_valid(raise_exception=True)
