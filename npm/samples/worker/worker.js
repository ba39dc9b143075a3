// Import maps are for pages alone: a worker says where the package is.
import { Engine, init } from "./node_modules/netverdict/index.js";
import { answer } from "./question.js";

await init();
postMessage(answer(Engine));
