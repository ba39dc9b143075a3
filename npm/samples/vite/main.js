import { Engine, init } from "netverdict";
import { answer } from "./question.js";

await init();
document.body.textContent = JSON.stringify(answer(Engine));
