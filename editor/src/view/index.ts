// The views on the right, in the order of their tabs.

import type { MakeView } from "../contract";

export const views: readonly MakeView[] = [];
