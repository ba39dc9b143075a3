# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Answers scenarios, one a line: ``python -m netverdict.scenario``."""

import sys

from . import _native


def main() -> None:
    """Reads standard input, writes standard output."""
    for line in sys.stdin:
        if line.strip():
            sys.stdout.buffer.write(_native.answer_scenario(line) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
