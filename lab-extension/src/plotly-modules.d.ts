declare module "plotly.js/lib/core" {
  interface Axis {
    readonly _offset: number;
    readonly _length: number;
    l2p(value: number): number;
  }
  export interface PlotNode extends HTMLElement {
    readonly _fullLayout?: Readonly<Record<string, Axis>>;
    on(event: string, handler: (event: PlotEvent | undefined) => void): void;
    removeAllListeners(event: string): void;
  }
  export interface PlotEvent {
    readonly points?: readonly { readonly pointNumber: number; readonly curveNumber: number }[];
  }
  const Plotly: {
    register(modules: readonly unknown[]): void;
    react(node: HTMLElement, data: readonly object[], layout: object, config: object): Promise<PlotNode>;
    purge(node: HTMLElement): void;
    readonly Plots: { resize(node: HTMLElement): Promise<void> };
  };
  export default Plotly;
}
declare module "plotly.js/lib/bar";
declare module "plotly.js/lib/box";
declare module "plotly.js/lib/heatmap";
declare module "plotly.js/lib/histogram";
declare module "plotly.js/lib/scattergl";
declare module "plotly.js/lib/violin";
