"""Numbers in English words, as a voice says them.

Whole numbers (a year from 1100 to 1999 in two halves), ordinals, decimals, decades, fractions, times of day, ranges
and amounts of money. `spoken_number` gives None for a form that can be read in more than one way ("3-1", "9/11",
"1,5"): what is not certain is not said. Own code rather than a library's, because these words are those with which the
embedded model's speech was made ("one hundred five", without "and" and hyphens).
"""

import re

SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SIZES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third",
    "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
}
"""One and several, and one and several of its hundredth ("": has none)."""
LARGEST_PARTS = 10
"""``1/2`` to ``9/10`` are fractions; beyond, a slash may stand in a date or a rate."""
GROUPED_DIGITS = r"\d{1,3}(?P<mark>[,\u00a0\u202f\u2009])\d{3}(?:(?P=mark)\d{3})*"
PLAIN = rf"(?P<whole>{GROUPED_DIGITS}|\d+)(?:\.(?P<decimals>\d+))?"
ROMAN = re.compile(r"(X{0,3}|XL)(IX|IV|V?I{0,3})")


def spoken_number(written: str) -> list[str] | None:
    """The words of a number without its sign, currency and unit; None where its form has no single reading."""
    if match := re.fullmatch(PLAIN + r"(?P<ordinal>st|nd|rd|th)", written, re.IGNORECASE):
        return None if match["decimals"] else _ordinal(_whole(match["whole"]))
    if match := re.fullmatch(r"(\d+)('?s)", written, re.IGNORECASE):
        return _decade(match[1])
    if match := re.fullmatch(PLAIN, written):
        return _plain(match["whole"], match["decimals"] or "")
    if match := re.fullmatch(r"\.(\d+)", written):
        return ["point", *_digits(match[1])]
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)", written):
        return _time(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(\d+)([/⁄])(\d+)", written):
        return _fraction(int(match[1]), int(match[3]), certain=match[2] == "⁄")
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){2,}", written):  # a version
        return " point ".join(" ".join(_whole(group)) for group in written.split(".")).split()
    return _range(written)


def amount_words(sign: str, written: str, size: str = "") -> list[str] | None:
    """The words of an amount of money: ``$5.50`` five dollars and fifty cents, ``£2 million`` two million pounds."""
    words = spoken_number(written)
    if words is None:
        return None
    one, several, one_part, parts = CURRENCIES[sign]
    money = re.fullmatch(PLAIN, written)
    if money is None or len(money["decimals"] or "") != 2 or size or not parts:
        return [*words, *size.split(), one if written == "1" and not size else several]
    whole, hundredths = int(re.sub(r"\D", "", money["whole"])), int(money["decimals"])
    spoken = [*_whole(money["whole"]), one if whole == 1 else several] if whole or not hundredths else []
    if hundredths:
        spoken += ["and"] * bool(spoken) + [*cardinal(hundredths), one_part if hundredths == 1 else parts]
    return spoken


def cardinal(value: int) -> list[str]:
    """The words of a whole number below 10¹⁵."""
    for size, name in SIZES:
        if value >= size:
            return cardinal(value // size) + [name] + (cardinal(value % size) if value % size else [])
    if value < 20:
        return [SMALL[value]]
    return [TENS[value // 10]] + ([SMALL[value % 10]] if value % 10 else [])


def roman_value(word: str) -> int:
    """The value of a Roman numeral of two or more of the letters I, V, X (and XL); 0 for another word."""
    match = ROMAN.fullmatch(word)
    if len(word) < 2 or match is None:
        return 0
    tens = 4 if match[1] == "XL" else len(match[1])
    ones = {"IX": 9, "IV": 4}.get(match[2], 5 * match[2].startswith("V") + match[2].count("I"))
    return 10 * tens + ones


def _plain(whole: str, decimals: str) -> list[str]:
    grouped = re.fullmatch(r"\d+", whole) is None
    if not decimals and not grouped and len(whole) == 4 and 1100 <= int(whole) <= 1999:
        return _year(int(whole))
    return _whole(whole) + (["point", *_digits(decimals)] if decimals else [])


def _whole(written: str) -> list[str]:
    """A whole number; digit by digit where it begins with a zero or is too long to be a count."""
    digits = re.sub(r"\D", "", written)
    longest = 15 if digits != written else 9
    if len(digits) > longest or (len(digits) > 1 and int(digits[0]) == 0):
        return _digits(digits)
    return cardinal(int(digits))


def _digits(digits: str) -> list[str]:
    return [SMALL[int(digit)] for digit in digits]


def _ordinal(words: list[str]) -> list[str]:
    last = words[-1]
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return [*words[:-1], IRREGULAR_ORDINALS.get(last, regular)]


def _several(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")


def _year(value: int) -> list[str]:
    century, year = divmod(value, 100)
    if year == 0:
        return [*cardinal(century), "hundred"]
    return cardinal(century) + (["oh", SMALL[year]] if year < 10 else cardinal(year))


def _decade(digits: str) -> list[str] | None:
    """``1980s`` and ``80s``; other numbers with an s ("iPhone 4s") are a number and a letter."""
    if len(digits) not in (2, 4) or int(digits) % 10 or int(digits) == 0:
        return None
    words = _plain(digits, "")
    return [*words[:-1], _several(words[-1])]


def _time(hours: int, minutes: int) -> list[str] | None:
    if hours > 24 or minutes > 59:
        return None
    return [*cardinal(hours), *(["o'clock"] if not minutes else ["oh"] * (minutes < 10) + cardinal(minutes))]


def _fraction(part: int, parts: int, certain: bool) -> list[str] | None:
    if not (2 <= parts <= 99 if certain else 1 <= part < parts <= LARGEST_PARTS):
        return None
    if parts == 2:
        return [*cardinal(part), "half" if part == 1 else "halves"]
    name = ["quarter"] if parts == 4 else _ordinal(cardinal(parts))
    return [*cardinal(part), *name[:-1], name[-1] if part == 1 else _several(name[-1])]


def _range(written: str) -> list[str] | None:
    """``1939–45`` with a dash; with a hyphen years only, since 3-1 may be a score or a difference."""
    match = re.fullmatch(r"([\d.,:]+)([–-])([\d.,:]+)", written)
    if match is None:
        return None
    years = re.fullmatch(r"1\d{3}|20\d\d", match[1]) and re.fullmatch(r"1\d{3}|20\d\d|\d\d", match[3])
    first, last = spoken_number(match[1]), spoken_number(match[3])
    if first is None or last is None or not (years or (match[2] == "–" and _ascending(match[1], match[3]))):
        return None
    return [*first, "to", *last]


def _ascending(first: str, last: str) -> bool:
    def value(written: str) -> float:
        return float(re.sub(r"[^\d.]", "", written))

    return value(first) < value(last)
