# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Why a call failed."""


class Error(Exception):
    """A failed call.

    ``status`` is the name of a status of the C ABI, like
    ``"NETVERDICT_NOT_FOUND"``; ``code`` that of a diagnostic, like ``"NV0620"``,
    or empty; ``file``, ``line`` and ``column`` say where in which document, or
    are empty and 0.
    """

    def __init__(
        self,
        message: str,
        status: str,
        code: str = "",
        file: str = "",
        line: int = 0,
        column: int = 0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.file = file
        self.line = line
        self.column = column
