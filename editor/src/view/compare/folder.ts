// A folder or files that a person picks in, documents out: what looks like manifests, by its path.

const SUFFIX = /\.(ya?ml|json)$/i;
/** More is no folder of manifests, and would stop the page. */
const MOST_FILES = 3000;
const MOST_BYTES = 4 << 20;

export async function documentsOf(files: Iterable<File>): Promise<ReadonlyMap<string, string>> {
  const documents = new Map<string, string>();
  for (const file of files) {
    const path = file.webkitRelativePath === "" ? file.name : file.webkitRelativePath.split("/").slice(1).join("/");
    if (!SUFFIX.test(path) || file.size > MOST_BYTES || /(^|\/)(\.git|node_modules)\//.test(path)) continue;
    if (documents.size >= MOST_FILES) break;
    documents.set(path, await file.text());
  }
  return documents;
}
