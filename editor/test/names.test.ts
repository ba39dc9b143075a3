import assert from "node:assert/strict";
import test from "node:test";
import { fragmentOf, readFragment } from "../src/state/link";
import { parseNames } from "../src/state/names";

test("names with their addresses, and lines of a hosts file", () => {
  const text = "api.example.com 203.0.113.7, 203.0.113.8\n\n# a remark\n2001:db8::1 API.example.com. www.example.com # both\nlocal = 192.0.2.1";
  assert.deepEqual(parseNames(text), {
    names: {
      "api.example.com": ["203.0.113.7", "203.0.113.8", "2001:db8::1"],
      "www.example.com": ["2001:db8::1"],
      local: ["192.0.2.1"],
    },
  });
  assert.deepEqual(parseNames(""), { names: {} });
});

test("what is neither is named", () => {
  const problem = (text: string): string => {
    const read = parseNames(text);
    return "problem" in read ? read.problem : "";
  };
  assert.match(problem("api.example.com 203.0.113.256"), /“203\.0\.113\.256”/);
  assert.match(problem("api.example.com 203.0.113.0\/24"), /“203\.0\.113\.0\/24”/);
  assert.match(problem("*.example.com 203.0.113.7"), /“\*\.example\.com”/);
  assert.match(problem("api.example.com"), /a line has a name and its addresses/);
  assert.match(problem("203.0.113.7"), /a line has a name and its addresses/);
  assert.match(problem("api.example.com 1::2::3"), /“1::2::3”/);
});

test("a link holds them; one from before they were is read", async () => {
  const documents = new Map([["a.yaml", "kind: Pod\n"]]);
  const linked = { documents, active: "a.yaml", names: "api.example.com 203.0.113.7" };
  assert.deepEqual(await readFragment(await fragmentOf(linked)), linked);
  assert.deepEqual(await readFragment(await fragmentOf({ documents, active: null })), { documents, active: null, names: "" });
});
