// Dialogs of the browser by which a person gives files to the page.

import { type Brought, chosen } from "./read";

/** Asks for files, or for a folder; `undefined` when nothing was chosen. */
export function choose(folder: boolean): Promise<(Brought & { readonly title: string }) | undefined> {
  return new Promise((done) => {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.webkitdirectory = folder;
    if (!folder) input.accept = ".yaml,.yml,.json";
    input.addEventListener("cancel", () => done(undefined));
    input.addEventListener("change", () => {
      const files = input.files;
      if (!files || files.length === 0) return done(undefined);
      const path = files[0]?.webkitRelativePath ?? "";
      void chosen(files).then((brought) => done({ ...brought, title: path.split("/")[0] ?? "" }));
    });
    input.click();
  });
}
