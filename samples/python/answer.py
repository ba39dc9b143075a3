from pathlib import Path

import netverdict

with netverdict.Engine() as engine:
    for problem in engine.apply("shop.yaml", Path("shop.yaml").read_text()):
        print(problem["file"], problem["line"], problem["message"])
    engine.commit()
    for source in ["shop/api", "shop/web"]:
        why = engine.explain(source, "shop/db", port="5432/TCP")
        print(f"{source} -> shop/db 5432/TCP: {why['verdict']}")
