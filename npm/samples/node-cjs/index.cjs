const { Engine } = require("netverdict");

import("./question.js").then(({ answer }) => console.log(JSON.stringify(answer(Engine))));
