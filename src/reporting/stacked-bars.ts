// Owns stacked bars: what several wholes are made of, as SVG text.
import { AXIS, drawn } from './drawing.js';
import { LIGHT, type Role } from './theme.js';

export interface Stacks {
  /** Also the name of its file among the plots. */
  readonly id: string;
  readonly title: string;
  /** What the bars and their heights are. */
  readonly x: string;
  readonly y: string;
  readonly bars: readonly string[];
  /** From the bottom up. values: one a bar. */
  readonly parts: readonly { readonly name: string; readonly colour: Role; readonly values: readonly number[] }[];
}

/** The bars as an SVG document in light colours. Names are escaped. */
export function svgOfStacks({ x, y, bars, parts }: Stacks): string {
  const option = {
    xAxis: { type: 'category', data: [...bars], name: x, nameLocation: 'middle', nameGap: 26, ...AXIS },
    yAxis: { type: 'value', name: y, nameLocation: 'middle', nameGap: 40, ...AXIS },
    series: parts.map(({ colour, values }) => ({
      type: 'bar',
      stack: 'whole',
      barMaxWidth: 90,
      data: [...values],
      itemStyle: { color: LIGHT[colour], borderColor: LIGHT.paper, borderWidth: 1 },
    })),
  };
  return drawn(
    option,
    parts.map(({ name, colour }) => ({
      name,
      sample: (left, narrowLayers) =>
        `<path d="M${left + 18} ${narrowLayers - 6}h12v12h-12z" fill="${LIGHT[colour]}" stroke="${LIGHT.faint}"/>`,
    })),
  );
}
