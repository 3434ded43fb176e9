"""What is raised."""

from __future__ import annotations


class Error(Exception):
    """What weir says when something cannot be done: one line that names what is wrong and what to do.

    `code` is the exit code of the binary where that was what failed: 2 usage, 3 bad input, 4 not supported, 5 could
    not write, 6 out of memory, 130 and 143 stopped; None otherwise.

    Example:

        try:
            weir.dump("The cat", model="nowhere")
        except weir.Error as error:
            print(error, error.code)
    """

    __module__ = "weir"

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotStored(KeyError):
    """The KeyError of a hook point or a layer that a file does not have; its text is the message, without quotes."""

    __module__ = "weir"

    def __str__(self) -> str:
        return str(self.args[0])
