// esbuild leaves the module to us: its bytes are fetched from beside the page.
import { Engine, init } from "netverdict/slim";
import { answer } from "./question.js";

await init(fetch("./netverdict.wasm"));
document.body.textContent = JSON.stringify(answer(Engine));
