import { Shape, area, type Named } from "./shapes";

enum Unit {
  Millimetre = "mm",
  Metre = "m",
}

class Report<T extends Named> {
  static #count = 0;
  constructor(private readonly parts: readonly T[], public unit = Unit.Metre) {
    Report.#count += 1;
  }
  *lines(): Generator<string> {
    for (const { name, ...rest } of this.parts) {
      yield `${name}: ${area(rest as unknown as Shape)?.toFixed(2) ?? "unknown"} ${this.unit}²`;
    }
  }
}

const report = new Report([
  { name: "tile", kind: "square", side: 2 ** 3 },
  { name: "plate", kind: "circle", radius: 1.5 },
]);
console.log([...report.lines()].join("\n"));
