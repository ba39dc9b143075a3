import { Engine } from "netverdict";
import { answer } from "./question.js";

console.log(JSON.stringify(answer(Engine)));
