// The views on the right, in the order of their tabs.

import type { MakeView } from "../contract";
import { CompareView } from "./compare/compare";
import { CreateView } from "./create/create";
import { FlowView } from "./flow/flow";
import { MapView } from "./map/map";
import { MatrixView } from "./matrix/matrix";
import { RecordedView } from "./recorded/recorded";
import "./view.css";

export const views: readonly MakeView[] = [
  (shell) => new MapView(shell),
  (shell) => new MatrixView(shell),
  (shell) => new FlowView(shell),
  (shell) => new CompareView(shell),
  (shell) => new CreateView(shell),
  (shell) => new RecordedView(shell),
];
