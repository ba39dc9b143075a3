# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The program of the README runs, and prints what it should."""

import contextlib
import io
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


class Readme(unittest.TestCase):
    def test_its_program_runs(self):
        page = (HERE / "README.md").read_text(encoding="utf-8")
        blocks = [part.split("```")[0] for part in page.split("```python\n")[1:]]
        self.assertEqual(len(blocks), 1)
        given = {
            "yaml": (HERE.parent / "readme.yaml").read_text(encoding="utf-8"),
            "now_in_milliseconds": int(time.time() * 1000),
        }
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(blocks[0], "README.md", "exec"), given)
        lines = printed.getvalue().splitlines()
        self.assertTrue(lines[0].startswith("allow [{"), lines)
        self.assertIn("CiliumNetworkPolicy/shop/db", lines[0])
        self.assertEqual(lines[1], "forwarded")
        self.assertEqual(len(lines), 3, lines)


if __name__ == "__main__":
    unittest.main()
