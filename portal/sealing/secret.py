"""A text that does not leave by accident."""

from typing import NoReturn, Self

_STARS = "********"


class SecretText:
    """A secret in memory that shows itself only when asked to.

    It prints as stars, cannot be pickled (and so neither cached nor put into a task), is unknown to JSON, and equals
    itself alone. Python cannot overwrite a string: the text stays in memory until the interpreter reuses it.

    Args:
        text: the secret.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the secret itself."""
        return self.__text

    def __repr__(self) -> str:
        return f"SecretText({_STARS!r})"

    def __str__(self) -> str:
        return _STARS

    def __format__(self, spec: str) -> str:
        return format(_STARS, spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        message = "a secret is not pickled"
        raise TypeError(message)
