"""The sample portal's discussions, and the first words said in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    id: str
    reader: str
    body: str
    parent: str | None = None
    liked: int = 0
    """Votes up from readers whom nobody can sign in as."""
    disliked: int = 0


@dataclass(frozen=True)
class Sample:
    id: str
    title: str
    language: str
    section: str
    liked: int = 0
    disliked: int = 0
    said: tuple[Said, ...] = ()

    @property
    def url(self) -> str:
        return f"https://portal.example/{self.language}/{self.section}/{self.id}"


SAMPLES = (
    Sample(
        "veche-ru",
        "Колокол, который решал: как спорило новгородское вече",
        "ru",
        "history",
        liked=7,
        disliked=1,
        said=(
            Said(
                "ru-1",
                "gleb",
                "Больше всего удивляет, что обычай держался веками почти без письменных правил. "
                "Видимо, общий звон заменял повестку дня.",
                liked=5,
            ),
            Said(
                "ru-2",
                "nina",
                "Повестку – да, а протокол заменяла память соседей. Попробуй потом скажи, что "
                "кричал другое.",
                parent="ru-1",
                liked=4,
            ),
            Said("ru-3", "zoya", "А женщины на вече голоса не имели?", liked=2),
            Said(
                "ru-4",
                "gleb",
                "Обычно считают, что нет, хотя в берестяных грамотах женщины судятся, торгуют и "
                "пишут сами.",
                parent="ru-3",
                liked=3,
            ),
        ),
    ),
    Sample(
        "veche-en",
        "The bell that decided: how Novgorod's veche argued",
        "en",
        "history",
        liked=6,
        disliked=1,
        said=(
            Said(
                "en-1",
                "alice",
                "A town that could dismiss its own prince sounds surprisingly modern. The shouting "
                "sounds modern too.",
                liked=6,
                disliked=1,
            ),
            Said(
                "en-2",
                "tom",
                "Counting voices by loudness is what comment sections did before votes.",
                parent="en-1",
                liked=4,
            ),
        ),
    ),
    Sample(
        "bridge-ru",
        "Старый мост через реку закроют на ремонт до весны",
        "ru",
        "city",
        liked=2,
        disliked=4,
        said=(Said("bridge-1", "nina", "Главное, чтобы до весны именно этого года.", liked=6),),
    ),
    Sample(
        "library-ru",
        "Городская библиотека будет открыта до полуночи",
        "ru",
        "culture",
        liked=8,
        said=(Said("library-1", "zoya", "Наконец-то есть куда идти после смены.", liked=3),),
    ),
    Sample("seeds-ru", "Как читать прогноз погоды и не сердиться", "ru", "science", liked=3),
    Sample(
        "birch-en",
        "A letter on birch bark asks for a debt to be repaid, politely",
        "en",
        "science",
        liked=5,
        said=(Said("birch-1", "alice", "Eight centuries on, still the best reminder.", liked=4),),
    ),
    Sample(
        "ferry-en",
        "Night ferry returns after ten years",
        "en",
        "city",
        liked=4,
        disliked=1,
        said=(Said("ferry-1", "tom", "Will it carry bicycles?", liked=1),),
    ),
    Sample(
        "chess-en", "School chess league plays its first round outdoors", "en", "sport", liked=2
    ),
)
