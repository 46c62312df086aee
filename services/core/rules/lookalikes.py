"""What a character, or a few in a row, may stand for in a disguised word.

Two tables: `SIGHT` for words that mix alphabets, digits and signs, `SOUND` for words of one
alphabet that may be written in the other (`durak`, `морон`). Each maps the beginning of a text to
letters of the Russian or the English alphabet, with the class of the disguise.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from services.core.rules.lookalikes_data import LOOKALIKES

LOOKS, LEET, SOUNDS, REPEATED, SPACED, MASKED, RESPELLED, GLUED = 1, 2, 4, 8, 16, 32, 64, 128
HOW = {
    LOOKS: "confusable",
    LEET: "leet",
    SOUNDS: "transliterated",
    REPEATED: "repeated",
    SPACED: "spaced",
    MASKED: "masked",
    RESPELLED: "respelled",
    GLUED: "glued",
}

Letters = tuple[tuple[str, int], ...]
Table = dict[str, tuple[tuple[str, Letters], ...]]
"""First character → (characters in a row, what they may stand for), the longest first."""

LATIN = "abcdefghijklmnopqrstuvwxyz"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"

# Letters of the two alphabets that look alike, in print or in handwriting.
_ALIKE = {
    "a": "а", "b": "вьб", "c": "с", "d": "д", "e": "еэ", "g": "д", "h": "н", "i": "иі", "k": "к",
    "m": "мт", "n": "пи", "o": "о", "p": "р", "r": "гя", "t": "т", "u": "ипц", "w": "ш",
    "x": "х", "y": "у", "z": "з",
}  # fmt: skip

# Cyrillic letters of other languages and their use in a Russian or an English word.
_OTHER_CYRILLIC = {
    "і": "иil", "ї": "иi", "ј": "йj", "ѕ": "s", "є": "еэe", "ґ": "гr", "ў": "уy", "ќ": "кk",
    "ѓ": "г", "қ": "кk", "ҝ": "кk", "ҡ": "кk", "ө": "оo", "ү": "уyv", "ұ": "уy", "ң": "нh",
    "ғ": "гf", "ә": "аэae", "һ": "хh", "ҳ": "хx", "җ": "ж", "ҙ": "з", "ӏ": "лli", "ԁ": "дd",
    "ԝ": "шw", "ԛ": "q", "ӑ": "аa", "ӓ": "аa", "ӧ": "оo", "ӱ": "уy", "ӂ": "ж", "ӣ": "и", "ѵ": "v",
    "ӊ": "н", "ҥ": "н", "ӎ": "м", "ҫ": "сc", "ѐ": "еe", "ѝ": "и", "ӥ": "и", "ӗ": "е", "ң́": "н",
}  # fmt: skip

# Greek letters and signs that stand for Cyrillic ones, and what the sources do not have.
_OTHER = {
    "λ": "л", "δ": "дd", "π": "пp", "φ": "ф", "γ": "гy", "ω": "шw", "ξ": "зe", "∆": "да",
    "σ": "оo", "ε": "еэe", "ζ": "з", "θ": "оo", "ψ": "", "η": "n", "ν": "v", "υ": "u",
    "μ": "мu", "ħ": "нh", "ß": "вb",
    "æ": "e", "ø": "оo", "đ": "d", "ł": "лl", "ð": "d", "þ": "pр", "០": "oо",
    "š": "ш", "č": "ч", "ž": "ж", "ŝ": "щ", "â": "я", "û": "ю", "è": "э", "ë": "е", "ĉ": "ч",
    "ʹ": "ь", "ʺ": "ъ", "ʼ": "ьъ", "⭕": "oо", "×": "xх", "❌": "xх", "ᴨ": "п", "ᴩ": "р", "ᴧ": "л",
    "ᴦ": "г", "ᴫ": "л", "ⲡ": "п", "ꛛ": "п", "ⲃ": "bв", "ⲓ": "i", "ⲽ": "w", "ⳏ": "pр", "ϸ": "pр",
    "ƿ": "pр", "ϭ": "oоб", "ⳓ": "б", "ⳝ": "б", "Ꮾ": "б", "ϥ": "ч", "પ": "ч", "င": "cс", "ၚ": "cс",
    "ട": "s", "𑜀": "m", "ȝ": "з", "ʒ": "з", "ӡ": "з", "ᴈ": "з", "ⲝ": "з", "ⳅ": "з", "ⳍ": "з",
    "ꝫ": "з", "ⲫ": "ф", "ⳡ": "ф", "ቀ": "ф", "փ": "ф", "ᒥ": "г", "ᐱ": "л", "ꓥ": "л", "ⴷ": "л",
    "ǀ": "il", "ו": "il", "ן": "il", "ւ": "i", "ᛁ": "il", "ⵏ": "il", "ꓲ": "il", "ߊ": "il",
}  # fmt: skip

_OTHER |= {chr(0x1F1E6 + n): letter for n, letter in enumerate(LATIN)}  # of flags
_OTHER |= {chr(0x1CCD6 + n): letter for n, letter in enumerate(LATIN)}  # outlined capitals

_LEET = {
    "0": "oо", "1": "iиlл", "2": "zз", "3": "eзэе", "4": "aча", "5": "sс", "6": "bбg", "7": "tтг",
    "8": "bвб", "9": "gдя", "@": "aа", "$": "sс", "!": "iиl", "|": "iиl", "(": "cс", "<": "cс",
    "{": "cс", "[": "cс", "+": "tт", "€": "eес", "£": "l", "¥": "yу", "₽": "р", "¢": "cс",
    "©": "cс", "®": "rя", "§": "s", "^": "л", "°": "oо", "¡": "i", "&": "", "¬": "г", "₴": "s",
    "₱": "p", "#": "hн", "∂": "дd", "ƽ": "s", "฿": "bв", "№": "n", "♡": "oо", "★": "a",
}  # fmt: skip

_LEET_ROWS = {
    "|\\|": "nи", "|/|": "иn", "/\\/\\": "mм", "|\\/|": "mм", "|v|": "mм", "/v\\": "mм",
    "/\\": "aлаd", "/-\\": "aа", "/_\\": "aд", "|-|": "hн", "|{": "kк", "|<": "kк", "1<": "kк",
    "l<": "kк", "i<": "kк", "|к": "к", "}|{": "ж", ">|<": "ж", "}i{": "ж", "}1{": "ж", ">i<": "ж",
    ">1<": "ж", "}{": "xхж", "><": "xхж", ")(": "xхж", ")|(": "ж", "]|[": "ж", "*|*": "ж",
    "()": "oо", "[]": "oо", "{}": "oо", "<>": "oо", "|)": "dд", "|>": "dpр", "[)": "dд", "|]": "dд",
    "|(": "kк", "io": "ю", "lli": "ш", "ll,": "ц", "lli,": "щ", "qp": "ф", "|/|`": "й",
    "|_|": "uц", "(_)": "u", "l_l": "u", "|_": "l", "\\/": "v", "\\/\\/": "w", "|=": "f",
    "|o": "юp", "|о": "юр", "|0": "ю", "1o": "ю", "1о": "ю", "10": "ю", "|*": "p", "|°": "p",
    "|3": "bв", "13": "bв", "|8": "b", "ьi": "ы", "ь|": "ы", "ь1": "ы", "ьl": "ы", "ьі": "ы",
    "bi": "ы", "b|": "ы", "b1": "ы", "bl": "ы", "bі": "ы", "/|": "лa", "/1": "л", "/i": "л",
    "j|": "л", "jl": "л", "ji": "л", "11": "лп", "||": "пи", "|^|": "п", "/7": "п", "|7": "п",
    "iii": "ш", "|||": "ш", "lll": "ш", "111": "ш", "|_|_|": "ш", "ш,": "щ", "w,": "щ", "u,": "ц",
    "9i": "я", "9|": "я", "91": "я", "9l": "я", "|-o": "ю", "|-0": "ю", "|-о": "ю", "i-o": "ю",
    "(|)": "ф", "<|>": "ф", "0|0": "ф", "o|o": "ф", "о|о": "ф", "_|": "j", "vv": "w", "rn": "m",
    "|`": "г", "|~": "г", "|-": "гf", "-/": "ч", "4т": "чт", "'|'": "т", "-|-": "tт", "']['": "т",
    "cl": "d", "ph": "f", "|2": "rяр", "|?": "r", "|\\": "n", "/\\|": "я", "'/": "у", "`/": "yу",
    "э|": "я", "=|": "э", "}|": "", "3/": "з", "5/": "", "кс": "x", "i)": "d", "l)": "d", "1)": "d",
    "|-/": "", "[-]": "н", "(-)": "н", "]-[": "hн", "}-{": "hн", ")-(": "hн", "/-/": "hн",
}  # fmt: skip

# Russian in Latin letters, whatever the scheme.
_RUSSIAN_SOUNDS = {
    "a": "ая", "b": "б", "c": "цскч", "d": "д", "e": "еэё", "f": "ф", "g": "гж", "h": "хг",
    "i": "ийы", "j": "жйь", "k": "к", "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "кя",
    "r": "р", "s": "с", "t": "т", "u": "ую", "v": "в", "w": "шщв", "x": "х", "y": "ыйиу",
    "z": "зц", "sh": "шщ", "zh": "ж", "ch": "чх", "kh": "х", "ts": "ц", "tz": "ц", "tc": "ц",
    "shch": "щ", "sch": "щш", "shh": "щ", "shsh": "щ", "sc": "щ", "ya": "я", "ja": "я", "ia": "я",
    "yu": "ю", "ju": "ю", "iu": "ю", "yo": "е", "jo": "е", "io": "е", "ye": "е", "je": "е",
    "ie": "е", "ee": "и", "oo": "у", "ck": "к", "ph": "ф", "tch": "ч", "dj": "дж", "yi": "ы",
    "eh": "э", "ea": "", "4": "ч", "6": "ш", "x'": "х", "ks": "", "yh": "й", "š": "ш", "č": "ч",
    "ž": "ж", "ŝ": "щ", "â": "я", "û": "ю",
}  # fmt: skip

# English in Cyrillic letters, by letter or by ear.
_ENGLISH_SOUNDS = {
    "а": ["a", "u", "o", "er"], "б": ["b"], "в": ["v", "w"], "г": ["g", "h"], "д": ["d"],
    "е": ["e", "a", "ai", "ie"], "ж": ["j", "g", "zh"], "з": ["z", "s", "th"],
    "и": ["i", "e", "y", "ee", "ea"],
    "й": ["y", "i", "j"], "к": ["k", "c", "ck", "ch", "q"], "л": ["l"], "м": ["m"], "н": ["n"],
    "о": ["o", "a", "au"], "п": ["p"], "р": ["r"], "с": ["s", "ce", "th"],
    "се": ["ce"], "си": ["ci", "cy"], "сы": ["ci"], "сай": ["ci", "cy"], "т": ["t", "th"],
    "у": ["u", "oo", "w", "o"], "ф": ["f", "ph", "th"], "х": ["h"], "ц": ["c", "ts"], "ч": ["ch"],
    "ш": ["sh"], "щ": ["sh"], "ы": ["i", "y"], "э": ["a", "e"], "ю": ["u", "yu", "ew", "ou"],
    "я": ["ya", "ia", "a"], "дж": ["j", "g", "ge"], "кс": ["x", "cks"], "ей": ["a", "ay", "ai"],
    "эй": ["a", "ay", "ai"], "ай": ["i", "y", "igh", "ie"], "оу": ["o", "ow"], "ау": ["ow", "ou"],
    "ой": ["oy", "oi"], "ия": ["ia"], "ие": ["ie"], "йу": ["u"], "ью": ["u", "ew"], "ер": ["er"],
    "ар": ["ar"], "ор": ["or", "our"], "кв": ["qu"], "тч": ["tch"], "ки": ["ky", "cky"],
    "уа": ["wa"], "ь": [], "ъ": [],
}  # fmt: skip

_VISUAL_TO_CYRILLIC = str.maketrans("abcdeghikmnoprtuwxyz", "авсдедникмпоргтишхуз")
_VISUAL_TO_LATIN = str.maketrans("авгеикмнопрстухшь", "abreukmhonpctyxwb")

_SPELLED = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфхыэ", "abvgdeziiklmnoprstufhie", strict=True))
    | {
        "ж": "zh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "sh",
        "ъ": "",
        "ь": "",
        "ю": "yu",
        "я": "ya",
    }
)
_DIGITS_TO_CYRILLIC = str.maketrans("013456789іѕ", "оизчсбтвдис")
_DIGITS_TO_LATIN = str.maketrans("0123456789іѕј", "oizeasbtbgisj")
_LATIN_OF = {ord(one): letter for letter in LATIN for one in LOOKALIKES[letter]}
_CYRILLIC_OF = {one: _ALIKE[letter][0] for one, letter in _LATIN_OF.items() if letter in _ALIKE}
_ALL_TO_LATIN = _LATIN_OF | _DIGITS_TO_LATIN | _VISUAL_TO_LATIN
_ALL_TO_CYRILLIC = _CYRILLIC_OF | _DIGITS_TO_CYRILLIC | _VISUAL_TO_CYRILLIC
_DIGRAPHS = (("shch", "щ"), ("sch", "щ"), ("sh", "ш"), ("zh", "ж"), ("ch", "ч"), ("kh", "х"),
             ("ts", "ц"), ("ya", "я"), ("yu", "ю"), ("yo", "е"))  # fmt: skip
_SOUND_TO_CYRILLIC = str.maketrans("abcdefghijklmnoprstuvwxyz", "абцдефгхийклмнопрстуввхыз")


def in_cyrillic(word: str) -> str:
    """The Cyrillic word that a Latin one looks like."""
    return word.translate(_VISUAL_TO_CYRILLIC)


def in_latin(word: str) -> str:
    """The Latin word that a Cyrillic one looks like."""
    return word.translate(_VISUAL_TO_LATIN)


def spelled_in_latin(word: str) -> str:
    """A Cyrillic word, letter by letter."""
    return word.translate(_SPELLED)


def one_alphabet(word: str) -> tuple[str, ...]:
    """The word as it is, then its likeliest Cyrillic and Latin readings, letter by letter."""
    by_sound = word
    for latin, cyrillic in _DIGRAPHS:
        by_sound = by_sound.replace(latin, cyrillic)
    readings = (
        word,
        word.translate(_DIGITS_TO_CYRILLIC).translate(_VISUAL_TO_CYRILLIC),
        word.translate(_DIGITS_TO_LATIN).translate(_VISUAL_TO_LATIN),
        by_sound.translate(_DIGITS_TO_CYRILLIC).translate(_SOUND_TO_CYRILLIC),
    )
    return tuple(dict.fromkeys(readings))


def in_one_alphabet(word: str) -> Iterator[tuple[str, int]]:
    """A mixture of alphabets and digits, all in Latin letters and all in Cyrillic ones."""
    how = LEET if any(map(str.isdigit, word)) else LOOKS
    yield word.translate(_ALL_TO_LATIN), how
    yield word.translate(_ALL_TO_CYRILLIC), how
    if "4" in word:
        yield word.replace("4", "а").translate(_ALL_TO_CYRILLIC), how


def _sight() -> Table:
    rows: dict[str, dict[str, int]] = {}

    def add(written: str, letters: str, how: int) -> None:
        for letter in letters:
            rows.setdefault(written, {}).setdefault(letter, 0 if written == letter else how)

    for letter in LATIN + CYRILLIC:
        add(letter, letter, 0)
    for latin, alike in _ALIKE.items():
        add(latin, alike, LOOKS)
        for cyrillic in alike:
            add(cyrillic, latin, LOOKS)
    add("й", "и", LOOKS)
    for letter, others in LOOKALIKES.items():
        for other in others:
            add(other, letter + _ALIKE.get(letter, "") if letter in LATIN else letter, LOOKS)
    for other, letters in (_OTHER_CYRILLIC | _OTHER).items():
        add(other, letters, LOOKS)
        plain = unicodedata.normalize("NFD", other)[0]
        if plain != other and plain in LATIN + CYRILLIC:
            add(other, plain, LOOKS)
    for written, letters in (_LEET | _LEET_ROWS).items():
        add(written, letters, LEET)
    for written, letters in _RUSSIAN_SOUNDS.items():
        add(written, letters, SOUNDS)
    table = {written: list(stands.items()) for written, stands in rows.items()}
    for written, stands_for in _ENGLISH_SOUNDS.items():
        known = table.setdefault(written, [])
        known += [(each, SOUNDS) for each in stands_for if each not in dict(known)]
    return _by_first({written: tuple(stands) for written, stands in table.items()})


def _sound() -> Table:
    table: dict[str, Letters] = {}
    for written, letters in _RUSSIAN_SOUNDS.items():
        table[written] = tuple((letter, SOUNDS) for letter in letters)
    table["x"] += (("кс", SOUNDS),)
    for written, stands_for in _ENGLISH_SOUNDS.items():
        table[written] = tuple((each, SOUNDS) for each in stands_for)
    return _by_first(table)


def _by_first(table: dict[str, Letters]) -> Table:
    by_first: dict[str, list[tuple[str, Letters]]] = {}
    for written in sorted(table, key=len, reverse=True):
        if table[written]:
            by_first.setdefault(written[0], []).append((written, table[written]))
    return {first: tuple(rows) for first, rows in by_first.items()}


_LOOK_ALIKE = str.maketrans(
    dict(zip("авгдеикмнопрстухцьъэяшщзlvg", "abrdeukmhonpctyxubbeywwziud", strict=True))
    | {"л": "ji", "ы": "bi", "ю": "io", "я": "r", "й": "u", "б": "b", "ф": "qp"}
)
_UNLIKE = frozenset("жч")


def looks(word: str) -> str:
    """One key for words that look alike in Latin letters: `durak` no, `dypak`, `xyeвo`, `sIut` yes.

    Empty where a Cyrillic letter looks like no Latin one.
    """
    if not _UNLIKE.isdisjoint(word):
        return ""
    return word.replace("rn", "m").replace("vv", "w").translate(_LOOK_ALIKE)


SIGHT = _sight()
SOUND = _sound()
SIGHT_MASKED: Table = SIGHT | {
    mask: (*SIGHT.get(mask, ()), (mask, tuple((letter, MASKED) for letter in LATIN + CYRILLIC)))
    for mask in "*#@$%•"
}
SAME: Table = {letter: ((letter, ((letter, 0),)),) for letter in LATIN + CYRILLIC}
