// What the page says, in Russian and English.

const TEXTS = {
  ru: {
    portal: "Образец портала",
    skip: "К обсуждению",
    language: "Язык",
    sample: "Пример статьи",
    otherLead: "Это ещё одна статья портала-образца. Текста у неё нет, зато обсуждение настоящее.",
    colophon: "Показательная страница сервиса «Вече». Читатели и тексты вымышлены для примера.",
    signIn: "Войти",
    signOut: "Выйти",
    signedInAs: "Вы вошли как",
    pickerTitle: "Войти на портал как…",
    pickerNote: "Это читатели портала-образца: пароль не нужен.",
    cancel: "Отмена",
    logInToComment: "Войдите, чтобы комментировать",
    logInToVote: "Войдите, чтобы голосовать",
    discussion: "Обсуждение",
    sidebar: "Обсуждают",
    live: "обновляется сразу",
    offline: "связь прервалась, восстанавливаем",
    opening: "Обсуждение вот-вот откроется…",
    closed: "Обсуждение закрыто, новые комментарии не принимаются.",
    noComments: "Пока никто не высказался. Будьте первым.",
    views: { one: "просмотр", few: "просмотра", many: "просмотров" },
    comments: { one: "комментарий", few: "комментария", many: "комментариев" },
    rating: "рейтинг",
    voteUp: "Нравится",
    voteDown: "Не нравится",
    sortBy: "Порядок",
    newest: "новые",
    oldest: "старые",
    best: "лучшие",
    yourComment: "Ваш комментарий",
    yourReplyTo: "Ваш ответ → {0}",
    newText: "Новый текст",
    publish: "Отправить",
    save: "Сохранить",
    reply: "Ответить",
    edit: "Изменить",
    remove: "Удалить",
    report: "Пожаловаться",
    removeSure: "Удалить комментарий? Вернуть его будет нельзя.",
    reportWhy: "Что не так?",
    reportNote: "Пояснение (можно не писать)",
    reportSend: "Отправить жалобу",
    reported: "Спасибо, жалоба принята.",
    reasons: {
      spam: "реклама или спам",
      insult: "оскорбление",
      hate: "разжигание ненависти",
      threat: "угроза",
      illegal: "нарушение закона",
      personal_data: "личные данные",
      other: "другое",
    },
    sending: "отправляем…",
    waiting: "На проверке…",
    published: "Опубликован.",
    held: "Ждёт модератора.",
    rejected: "Не опубликован.",
    refused: "Не принят.",
    dead_lettered: "Не обработан.",
    editHeld: "Ваша правка ждёт модератора, пока виден прежний текст.",
    editRejected: "Ваша правка не опубликована, виден прежний текст.",
    onlyYou: "Это видите только вы.",
    saved: "Сохранено.",
    edited: "изменён",
    tombstone: "Комментарий удалён или скрыт.",
    to: "→ {0}",
    moreReplies: "Показать ещё ответы",
    moreComments: "Показать ещё",
    again: "Отправить ещё раз",
    dismiss: "Убрать",
    tooLong: "Слишком длинно: {0} из {1} знаков",
    left: "осталось {0}",
    noConnection: "Нет связи с порталом. Текст не потерян, попробуйте ещё раз.",
    failed: "Не получилось: портал ответил {0}.",
    behind: "Портал прислал старую копию обсуждения, спрашиваем ещё раз…",
    unknownYet: "Пока неизвестно, дошло ли: событие в журнале, но ещё не обработано.",
    moderatorSaid: "Модератор: {0}",
    just: "только что",
  },
  en: {
    portal: "Sample portal",
    skip: "Skip to the discussion",
    language: "Language",
    sample: "Sample article",
    otherLead: "Another article of the sample portal. It has no text, but its discussion is real.",
    colophon: "The demonstration page of Veche. Readers and texts are made up as samples.",
    signIn: "Log in",
    signOut: "Log out",
    signedInAs: "Logged in as",
    pickerTitle: "Log in to the portal as…",
    pickerNote: "These are readers of the sample portal: no password needed.",
    cancel: "Cancel",
    logInToComment: "Log in to comment",
    logInToVote: "Log in to vote",
    discussion: "Discussion",
    sidebar: "Being discussed",
    live: "updates live",
    offline: "connection lost, trying again",
    opening: "The discussion is about to open…",
    closed: "The discussion is closed to new comments.",
    noComments: "Nobody has spoken yet. Be the first.",
    views: { one: "view", other: "views" },
    comments: { one: "comment", other: "comments" },
    rating: "rating",
    voteUp: "Like",
    voteDown: "Dislike",
    sortBy: "Order",
    newest: "newest",
    oldest: "oldest",
    best: "best",
    yourComment: "Your comment",
    yourReplyTo: "Your reply to {0}",
    newText: "New text",
    publish: "Send",
    save: "Save",
    reply: "Reply",
    edit: "Edit",
    remove: "Delete",
    report: "Report",
    removeSure: "Delete this comment? It cannot be brought back.",
    reportWhy: "What is wrong?",
    reportNote: "Details (optional)",
    reportSend: "Send the report",
    reported: "Thank you, the report was received.",
    reasons: {
      spam: "advertising or spam",
      insult: "an insult",
      hate: "hatred",
      threat: "a threat",
      illegal: "against the law",
      personal_data: "personal data",
      other: "something else",
    },
    sending: "sending…",
    waiting: "Being checked…",
    published: "Published.",
    held: "Waits for a moderator.",
    rejected: "Not published.",
    refused: "Not accepted.",
    dead_lettered: "Not processed.",
    editHeld: "Your edit waits for a moderator; the earlier text stays in view.",
    editRejected: "Your edit was not published; the earlier text stays in view.",
    onlyYou: "Only you see this.",
    saved: "Saved.",
    edited: "edited",
    tombstone: "This comment was deleted or hidden.",
    to: "in reply to {0}",
    moreReplies: "Show more replies",
    moreComments: "Show more",
    again: "Send again",
    dismiss: "Dismiss",
    tooLong: "Too long: {0} of {1} characters",
    left: "{0} left",
    noConnection: "The portal cannot be reached. Your text is kept, please try again.",
    failed: "That did not work: the portal answered {0}.",
    behind: "The portal sent an old copy of the discussion, asking again…",
    unknownYet: "Not known yet: the event is in the log, but was not worked on so far.",
    moderatorSaid: "Moderator: {0}",
    just: "just now",
  },
};

export let language = "ru";

export function speak(chosen) {
  language = chosen === "en" ? "en" : "ru";
  document.documentElement.lang = language;
}

export function t(name, ...values) {
  const text = TEXTS[language][name];
  if (typeof text !== "string") return text;
  return text.replace(/\{(\d)\}/g, (_, index) => values[index]);
}

// The unit that goes with a count: 1 просмотр, 2 просмотра, 5 просмотров.
export function unit(name, count) {
  const forms = TEXTS[language][name];
  return forms[new Intl.PluralRules(language).select(count)] ?? forms.many ?? forms.other;
}

export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}

const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

export function ago(instant) {
  const seconds = (Date.now() - new Date(instant)) / 1000;
  if (seconds < 45) return t("just");
  if (seconds > 7 * 86400) {
    return new Date(instant).toLocaleDateString(language, { day: "numeric", month: "long" });
  }
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const [unit, size] = STEPS.find(([, size]) => seconds >= size) ?? ["minute", 60];
  return format.format(-Math.max(1, Math.round(seconds / size)), unit);
}

export function clock(instant) {
  const date = new Date(instant);
  if (Date.now() - date > 86400e3) {
    return date.toLocaleDateString(language, { day: "2-digit", month: "2-digit" });
  }
  return date.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hour12: false });
}
