// Small things kept in the browser's storage, where there is one.

type Where = "browser" | "tab";

const storage = (where: Where): Storage => (where === "tab" ? sessionStorage : localStorage);

export function recall(key: string, where: Where = "browser"): string | null {
  try {
    return storage(where).getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string, where: Where = "browser"): void {
  try {
    storage(where).setItem(key, value);
  } catch {
    // Storage is switched off, or full.
  }
}

export function forget(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // Storage is switched off.
  }
}
