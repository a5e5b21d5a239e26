import { LabIcon } from "@jupyterlab/ui-components";

const svg = (body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">${body}</svg>`;

/** Three stacked areas under a moving edge. */
export const memoryIcon = new LabIcon({
  name: "nibble-lab:memory",
  svgstr: svg(
    `<g class="jp-icon3" fill="#616161">
      <path d="M3 21v-5l5-2 5 2 8-4v9z"/>
      <path opacity=".65" d="M3 14.5V11l5-3 5 3 8-5v4.5l-8 4-5-2z"/>
      <path opacity=".35" d="M3 9.5V7l5-4 5 4 8-5v2.5L13 9.5l-5-3z"/>
    </g>`,
  ),
});

/** Two clouds of points beside each other. */
export const pcaIcon = new LabIcon({
  name: "nibble-lab:pca",
  svgstr: svg(
    `<g class="jp-icon3" fill="#616161">
      <path d="M2 3h1.5v16.5H11V21H2zM13 3h1.5v16.5H22V21h-9z"/>
      <circle cx="5.8" cy="15" r="1.5"/><circle cx="7" cy="10" r="1.5"/><circle cx="9.6" cy="6.5" r="1.5"/>
      <circle cx="17" cy="16.3" r="1.5"/><circle cx="18.8" cy="9.4" r="1.5"/><circle cx="20.2" cy="5.4" r="1.5"/>
    </g>`,
  ),
});
