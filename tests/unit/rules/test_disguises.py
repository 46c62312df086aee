"""Ways to disguise a listed word, a few items for each; tests/evasion has them by the hundred."""

from __future__ import annotations

import pytest

from services.core.rules.listed import Source
from services.core.rules.reading import read
from services.core.rules.word_index import WordIndex

RUSSIAN = WordIndex([
    Source("ru", ["болван", "дурак", "казино", "медведь", "падла", "подлец", "подонок", "спам",
                  "тупица", "ублюдок", "фуфло", "хапуга", "цыпленок", "чмошник", "щука", "ящер",
                  "козел", "эгоист", "объедок", "хмырь", "урод"])
])  # fmt: skip
ENGLISH = WordIndex([
    Source("en", ["bastard", "brute", "cheapskate", "clown", "creep", "crook", "damn", "dork",
                  "fool", "fuck", "hoax", "moron", "scum", "troll", "weirdo", "zombie", "grope",
                  "butt", "porn", "shite", "spam"])
])  # fmt: skip


def found(index: WordIndex, text: str) -> list[str]:
    return [match.entry for match in index.find(read(text))]


@pytest.mark.parametrize(
    ("word", "comment"),
    [
        # Two disguises at once: a transliteration with letters of the other alphabet in it.
        ("болван", "вот bоlvаn пришёл"),
        ("хапуга", "haрuga"),
        ("тупица", "tupitsа"),
        ("подлец", "pоd1ets"),
        ("урод", "Uу u|2od уrоd"),
        # Runs in the letters of one sound.
        ("подлец", "podletsssss"),
        ("чмошник", "chmosssssshnik"),
        ("щука", "sccchuka"),
        ("ящер", "yasssssscher"),
        # Masks among digits, look-alikes and transliterations.
        ("козел", "к@з3л"),
        ("подлец", "под*3ц"),
        ("хапуга", "h*puga"),
        ("чмошник", "chmo@hnik"),
        ("казино", "каз*н0"),
        # More masked than left, a row of signs between the first letter and the last.
        ("ублюдок", "вот у*****к"),
        ("болван", "б####н"),
        ("дурак", "ду-ак"),
        ("дурак", "дурxк"),
        ("болван", "болxан"),
        # Letters of several signs.
        ("дурак", "|)урак"),
        ("ублюдок", "убIOдок ублIOдок"),
        ("фуфло", "qpyqpJIo"),
        ("падла", "nagJIa"),
        ("медведь", "MegBegb"),
        ("урод", "у|2од"),
        ("чмошник", "чмоLLIник"),
        ("дурак", "дура|("),
        # Pieces.
        ("казино", "ка.зи.но"),
        ("спам", "сп-ам"),
        ("щука", "щ у к а"),
        ("хмырь", "хм ырь"),
        ("урод", "у-р-о-д"),
        ("спам", "сп🔥ам"),
        # Letters that other peoples write.
        ("болван", "болваҥ"),
        ("подонок", "\u202eконодоп\u202c"),
        ("урод", "\u202eдору\u202c"),
    ],
)  # fmt: skip
def test_russian_words_are_found(word: str, comment: str) -> None:
    assert word in found(RUSSIAN, comment)


@pytest.mark.parametrize(
    ("word", "comment"),
    [
        ("creep", "кpип"),
        ("troll", "тpолл"),
        ("moron", "моpон"),
        ("crook", "к@ук"),
        ("moron", "мор*н"),
        ("brute", "такой брут"),
        ("zombie", "зомби"),
        ("hoax", "what a х о а к с!"),
        ("fuck", "f###k"),
        ("fuck", "fu**"),
        ("bastard", "b*****d"),
        ("weirdo", "weirdx weXrdo"),
        ("scum", "scxm"),
        ("clown", "c1o*n"),
        ("dork", "do⭐rk"),
        ("fuck", "fu●ck"),
        ("damn", "d✨amn"),
        ("cheapskate", "cheap👏skate"),
        ("scum", "sc-um"),
        ("fuck", "f.uck fu.ck"),
        ("scum", "sc um"),
        ("clown", "xxclownxx"),
        ("creep", "(reep it is"),
        ("clown", "\U0001ccd8lown"),
        ("fool", "\u202eloof"),
        ("weirdo", "opɹıǝʍ"),
        ("scum", "ɯnɔs"),
    ],
)
def test_english_words_are_found(word: str, comment: str) -> None:
    assert word in found(ENGLISH, comment)


@pytest.mark.parametrize(
    "comment",
    [
        "But why? but and that, although, nine of ten",
        "Обычные парни в группе",
        "The Shiite majority",
        "{{cite web}}",
        "scarce resources (see there) and (reed)",
        "a fac of dyk",
        "C-300, С-300 и iPhone'ом, user@host.com, AT&T, C++",
        "сп. ам. сн о спа",
        "foo_bar*baz x**y 2*3*4 a*b*c",
    ],
)
def test_innocent_words_are_left_alone(comment: str) -> None:
    assert found(RUSSIAN, comment) == []
    assert found(ENGLISH, comment) == []


@pytest.mark.parametrize(
    ("listed", "comment"),
    [
        ("болтать", "болтаный болтают"),
        ("мямлеть", "мямлят"),
        ("шлёпок", "шлёпки"),
        ("заболтать", "за бо л та ть"),
        ("заболтать", "ну да и он тут, мы не то же там, а я ей ту дал: за бо л та ть"),
        ("заболтать", "я и ты и он и мы и вы и я не за бо л та ть"),
        ("заболтать", "за б о л т а т ь"),
        ("хам", "/\\ам нет, }{ам x_а_м ><ам"),
        ("жаба", "ж-ба"),
        ("шляпа", "🆂🅷🅻🆈🅰🅿🅰 и ᴋᴏᴢᴇʟ"),
        ("ass", "asssss"),
        ("ass", "аѕѕ"),
        ("ass", "@.s.s"),
        # Pictures between single letters, signs among them, letters apart and mixed otherwise.
        ("дурак", "д 🔥 у 🔥 р 🔥 а 🔥 к какой"),
        ("moron", "you m 🤡 o🤡 r 🤡 o 🤡 n"),
        ("casino", "C@ $ I N 0 bonus"),
        ("jackass", "JaCk-@$$ again"),
        ("чмошник", "ч-м-0-шник"),
        # Forms of words that no dictionary has.
        ("долбоёб", "долбоёбов и д0лб0ёб0в"),
        ("колорад", "kолорадов"),
        ("лошара", "для л o ш a p"),
        # By ear: voiced consonants beside others as deaf ones, vowels that are said alike.
        ("быдло", "быттло ты"),
        ("тварь", "тфарь такая"),
        ("подлец", "потлетс"),
        ("bastard", "basturd bahstard"),
        ("wanker", "wankah"),
        # Part of a phrase, or a word that fits a mask as well, hides no other.
        ("faggot\nget lost", "f*ggot"),
        ("shit\nshut up", "sh*t"),
    ],
)
def test_more_forms_and_disguises_are_found(listed: str, comment: str) -> None:
    entry, *_ = lines = listed.split("\n")
    assert entry in found(WordIndex([Source("list", lines)]), comment)


@pytest.mark.parametrize(
    ("listed", "comment"),
    [
        ("сволочь", "сволокли лодки на берег"),
        ("whore", "those who're planning"),
        ("nigger", "Nigeria and Niger"),
        ("cock", "Cummings and Cox left; К-к-как? ка-ак"),
        ("ебать", "певец Эбат"),
        ("сука", "U.S. U.K. U.N. и f(u) = c*k"),
        ("дура", "пришёл д-ра ждать"),
        ("shit", "s/hit/miss/g"),
        ("выродок", "Пиво, в*дка, сигареты"),
        ("сука", "Сукко под Анапой"),
        ("ебать", "Кассир Е***а рассказала"),
        ("срать", "es ist spät"),
        ("подонок", "потонок"),
        ("moron", "Morin and Moran"),
        ("гнида", "W A R N I N G: ice"),
        ("дура", "a 🔥 b 🔥 дура́т 🔥 c"),
        ("заболтать", "за, бо л. Та ть; за бо л та - ть"),
    ],
)
def test_names_numbers_and_other_words_are_left_alone(listed: str, comment: str) -> None:
    assert found(WordIndex([Source("list", [listed])]), comment) == []
