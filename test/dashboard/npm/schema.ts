// The types that the dashboard must have, made of Grafana's own. JSON has no enumerations, so Plain takes their values.

import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type * as heatmap from './node_modules/@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from './node_modules/@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from './node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as lines from './node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

type Known = Omit<FieldConfig, 'custom'>;

/** Property is what an override can set, by its name. */
type Property<Custom> =
  | { [K in keyof Known]-?: { id: K; value: Known[K] } }[keyof Known]
  | { [K in keyof Custom & string]-?: { id: `custom.${K}`; value: Custom[K] } }[keyof Custom & string];

/** Of is a panel of a kind: its options and the settings of its fields are known. */
type Of<Options, Custom> = Plain<
  Omit<Panel, 'options' | 'fieldConfig'> & {
    options: Options;
    fieldConfig: {
      defaults: Known & { custom?: Custom };
      overrides: Array<{ matcher: { id: 'byName'; options: string }; properties: Array<Property<Custom>> }>;
    };
  }
>;

export interface Panels {
  heatmap: Of<heatmap.Options, heatmap.FieldConfig>;
  row: Plain<RowPanel>;
  // Grafana 11 puts in the default where it needs this one, and 10 does not know it.
  stat: Of<Omit<stat.Options, 'percentChangeColorMode'>, never>;
  // Since Grafana 11; 10 shows everything on one page.
  'state-timeline': Of<timeline.Options & { perPage?: number }, timeline.FieldConfig>;
  // The property has moved out of the footer in Grafana 12, where the footer has gone from.
  table: Of<table.Options & { enablePagination?: boolean; footer?: object }, table.FieldConfig>;
  timeseries: Of<lines.Options, lines.FieldConfig>;
}

export type Frame = Plain<Omit<Dashboard, 'panels' | 'annotations' | 'templating'>>;

/** Annotation has what the data source adds, as Grafana's editor for annotations from Prometheus writes it. */
export type Annotation = Plain<AnnotationQuery> & {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean;
};

/** Variable has what its editor shows for the query. */
export type Variable = Plain<VariableModel> & { definition?: string };
