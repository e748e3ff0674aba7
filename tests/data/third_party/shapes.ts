export interface Named {
  name: string;
}

export type Shape = { kind: "square"; side: number } | { kind: "circle"; radius: number };

export function area(shape: Shape): number | undefined {
  switch (shape.kind) {
    case "square":
      return shape.side ** 2;
    case "circle":
      return Math.PI * shape.radius ** 2;
  }
}

export const neverUsed = () => area({ kind: "square", side: 0 });
