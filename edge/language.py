"""The languages of the page and of the report of a shift."""

from enum import Enum


class Language(str, Enum):
    """A language; the value is its tag, as browsers, the configuration, and `lang` have it."""

    ENGLISH = "en"
    GERMAN = "de"
    SPANISH = "es"
    HINDI = "hi"

    @property
    def own_name(self) -> str:
        """What the language calls itself."""
        return _OWN_NAMES[self]


_OWN_NAMES = {
    Language.ENGLISH: "English",
    Language.GERMAN: "Deutsch",
    Language.SPANISH: "Español",
    Language.HINDI: "हिन्दी",
}
