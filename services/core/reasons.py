"""What people are told about outcomes, in Russian and English, by reason code.

Reasons of single rules are texts of the ruleset; these are the machinery's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Text(Struct, frozen=True):
    ru: str
    en: str


REFUSED: Mapping[str, Text] = {
    "id_taken": Text(
        "Этот id уже занят другим событием; отправьте его с новым id.",
        "This id belongs to another event already; send yours under a new id.",
    ),
    "discussion_unknown": Text(
        "Такого обсуждения на этом сайте нет.", "There is no such discussion on this site."
    ),
    "discussion_closed": Text("Обсуждение закрыто.", "The discussion is closed."),
    "comment_unknown": Text(
        "Такого комментария в этом обсуждении нет.",
        "There is no such comment in this discussion.",
    ),
    "comment_deleted": Text(
        "Комментарий удалён его автором.", "The comment was deleted by its author."
    ),
    "parent_unknown": Text(
        "Комментария, на который вы отвечаете, в этом обсуждении нет.",
        "The comment that you answer is not in this discussion.",
    ),
    "not_the_author": Text(
        "Изменить или удалить комментарий может только его автор.",
        "Only its author can edit or delete a comment.",
    ),
    "own_vote": Text(
        "За собственный комментарий голосовать нельзя.",
        "Nobody votes on a comment of their own.",
    ),
    "own_report": Text(
        "Пожаловаться на собственный комментарий нельзя.",
        "Nobody reports a comment of their own.",
    ),
    "revision_stale": Text(
        "Уже есть более новая версия; это относилось к прежней.",
        "There is a newer revision already; this was about an older one.",
    ),
    "revision_unknown": Text("Такой версии комментария нет.", "The comment has no such revision."),
    "conflict": Text(
        "Комментарий изменился, пока решение принималось; посмотрите на него снова.",
        "The comment changed while the decision was made; look at it again.",
    ),
    "rule_not_found": Text(
        "Эта версия правила не останавливала комментарий.",
        "This version of the rule did not stop the comment.",
    ),
    "ruled": Text(
        "Модератор уже решил судьбу этой версии комментария.",
        "A moderator has ruled on this revision already.",
    ),
    "not_as_left": Text(
        "С тех пор с комментарием случилось другое; его посмотрит модератор.",
        "Something else happened to the comment since; a moderator looks at it.",
    ),
    "vote_parked_too_many": Text(
        "Слишком много ваших голосов ждёт комментариев, которых ещё нет.",
        "Too many of your votes wait for comments that do not exist yet.",
    ),
    "vote_expired": Text(
        "Комментарий, за который отдан голос, так и не появился.",
        "The comment that the vote was for never came.",
    ),
}
"""By RefusalReason."""

JUDGED: Mapping[str, Text] = {
    "rule": Text(
        "Комментарий остановлен правилами сайта.", "The comment was stopped by the site's rules."
    ),
    "policy": Text(
        "В этом обсуждении комментарии сначала читает модератор.",
        "In this discussion a moderator reads comments first.",
    ),
    "rule_error": Text(
        "Проверка не удалась, поэтому комментарий посмотрит модератор.",
        "The check failed, so a moderator will look at the comment.",
    ),
    "report": Text(
        "На комментарий пожаловались читатели; его посмотрит модератор.",
        "Readers reported the comment; a moderator will look at it.",
    ),
    "limited": Text(
        "Недавно сработало правило, поэтому ваши комментарии пока читает модератор.",
        "A rule was triggered lately, so for now a moderator reads your comments.",
    ),
    "rejected_before": Text(
        "Модератор уже отклонил этот комментарий, поэтому правку он посмотрит сам.",
        "A moderator rejected this comment before, so its edit waits for one.",
    ),
    "score": Text("Комментарий ждёт проверки.", "The comment waits to be checked."),
    "moderator": Text("Так решил модератор.", "A moderator decided so."),
}
"""Why a comment was held or rejected, where no single rule says it."""

DELIVERY: Mapping[str, Text] = {
    "waiting": Text("Событие ждёт своей очереди.", "The event waits for its turn."),
    "waiting_for_comment": Text(
        "Голос ждёт комментария, которого ещё нет.",
        "The vote waits for a comment that is not there yet.",
    ),
    "stopped": Text(
        "Обработка остановлена и ждёт оператора; событие не потеряно.",
        "Processing is stopped and waits for an operator; the event is not lost.",
    ),
    "superseded": Text(
        "Учтён более поздний голос того же читателя.",
        "A later vote of the same reader counts instead.",
    ),
    "dead_lettered": Text(
        "Запись не удалось прочесть; она отложена для оператора.",
        "The record could not be read; it was put aside for an operator.",
    ),
}
"""What became of a record that has no outcome of its own."""

_UNKNOWN = Text("Причина не названа.", "No reason was given.")


def text(code: str) -> Text:
    """The text of any reason code above."""
    return REFUSED.get(code) or JUDGED.get(code) or DELIVERY.get(code) or _UNKNOWN
