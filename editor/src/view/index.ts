// The views on the right, in the order of their tabs.

import type { MakeView } from "../contract";
import { MapView } from "./map/map";
import { MatrixView } from "./matrix/matrix";
import "./view.css";

export const views: readonly MakeView[] = [(shell) => new MapView(shell), (shell) => new MatrixView(shell)];
