# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Who may talk to whom, and why:

    python explain.py shop.yaml policy.yaml -- shop/web shop/db 5432/TCP
"""

import sys
from pathlib import Path

import netverdict


def main(arguments: list[str]) -> int:
    if "--" not in arguments or len(arguments) != arguments.index("--") + 4:
        print(__doc__, file=sys.stderr)
        return 2
    dashes = arguments.index("--")
    source, destination, port = arguments[dashes + 1 :]
    with netverdict.Engine() as engine:
        for file in arguments[:dashes]:
            for p in engine.apply(file, Path(file).read_text()):
                print(f"{p['file']}:{p['line']}: {p['code']}: {p['message']}", file=sys.stderr)
        engine.commit()
        why = engine.explain(source, destination, port=port)
    print(f"{source} → {destination} {port}: {why['verdict']}")
    for side in filter(None, (why["egress"], why["ingress"])):
        for rule in side["rules"]:
            print(f"  {side['subject']}: {rule['rule']} {rule.get('at', '')}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except netverdict.Error as error:
        sys.exit(f"{error.status}: {error}")
