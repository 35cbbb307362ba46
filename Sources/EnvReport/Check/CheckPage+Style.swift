/// How the page looks. Colours are named once for light and once for dark; text keeps a contrast of 4.5 : 1 or more against its ground
/// (WCAG 2.2, 1.4.3), and nothing is told by colour alone.

extension CheckPage {
  static let style: Markup = """
    :root {
      color-scheme: light dark;
      --ground: #f6f7f9; --card: #ffffff; --edge: #dfe3e8; --ink: #16191d; --quiet: #545d69; --faint: #e9ecf0;
      --baseline: #b9c0ca; --run: #0a58b0; --band: #2f7d4f; --band-fill: #2f7d4f1c; --beyond: #b03a00;
      --identical: #17693a; --equivalent: #17693a; --drift: #a63700; --broken: #b0182b;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #0e1116; --card: #161a21; --edge: #2a313b; --ink: #e8ebef; --quiet: #a2abb7; --faint: #232932;
        --baseline: #586473; --run: #7ab8ff; --band: #63c58c; --band-fill: #63c58c22; --beyond: #ff9d66;
        --identical: #63c58c; --equivalent: #63c58c; --drift: #ff9d66; --broken: #ff8590;
      }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
      font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
    main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 8px; }
    header { background: var(--card); border: 1px solid var(--edge); border-left: 6px solid var(--tone); border-radius: 10px;
      padding: 28px 32px 30px; }
    .identical { --tone: var(--identical); } .equivalent { --tone: var(--equivalent); }
    .drift { --tone: var(--drift); } .broken { --tone: var(--broken); }
    .subject { margin: 0; color: var(--quiet); font-size: 15px; }
    h1 { margin: 6px 0 0; font-size: 34px; line-height: 1.2; font-weight: 650; letter-spacing: -.015em; color: var(--tone); }
    .sign { display: inline-block; min-width: 1.15em; font-weight: 500; }
    .sentence { margin: 14px 0 0; max-width: 46em; font-size: 19px; line-height: 1.5; }
    section { margin-top: 44px; }
    h2 { margin: 0 0 14px; font-size: 21px; font-weight: 650; letter-spacing: -.01em; }
    .pair + table, section > p + table { margin-top: 20px; } section > p { margin: 0; max-width: 46em; }
    h3 { margin: 0; font-size: 16px; font-weight: 600; }
    .quiet { color: var(--quiet); }
    .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 20px; }
    figure { margin: 0; padding: 20px 20px 12px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
      display: flex; flex-direction: column; min-width: 0; }
    figcaption { flex: 1; }
    figcaption p { margin: 4px 0 0; color: var(--quiet); font-size: 14px; line-height: 1.45; }
    .keys { display: flex; flex-wrap: wrap; gap: 2px 18px; min-height: 22px; }
    .key { display: inline-flex; align-items: center; gap: 7px; color: var(--ink); }
    .sample { width: 22px; height: 12px; }
    .plot { display: block; width: 100%; height: auto; margin-top: 10px; }
    .plot text { fill: var(--quiet); font-size: 13px; font-variant-numeric: tabular-nums; }
    .plot .name { font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
    .plot .name.band { fill: var(--band); } .plot .name.beyond { fill: var(--beyond); }
    .grid { stroke: var(--faint); fill: none; } .axis { stroke: var(--edge); fill: none; }
    .line { fill: none; stroke-linejoin: round; stroke-linecap: round; }
    .line.baseline { stroke: var(--baseline); stroke-width: 6; } .line.run { stroke: var(--run); stroke-width: 1.8; }
    .line.band { stroke: var(--band); stroke-width: 1.4; stroke-dasharray: 6 4; }
    .dots { fill: none; stroke-linecap: round; stroke-width: 5; }
    .dots.run { stroke: var(--run); stroke-opacity: .72; } .shape.beyond { fill: var(--beyond); fill-opacity: .85; }
    .region.band { fill: var(--band-fill); } .rule { fill: none; stroke-width: 1.4; }
    .rule.band { stroke: var(--band); stroke-dasharray: 6 4; } .rule.beyond { stroke: var(--beyond); stroke-dasharray: 2 3; }
    .rule.guide { stroke: var(--baseline); }
    table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--card); border: 1px solid var(--edge);
      border-radius: 10px; font-size: 15px; overflow: hidden; }
    th, td { padding: 10px 16px; text-align: left; vertical-align: top; border-top: 1px solid var(--faint); font-weight: 400; }
    thead th { border-top: 0; color: var(--quiet); font-size: 13.5px; }
    tbody th { font-weight: 600; }
    details { margin-top: 16px; } details table { margin-top: 12px; }
    summary { cursor: pointer; color: var(--quiet); }
    .numbers td { font-variant-numeric: tabular-nums; }
    .stacked td { font: 13.5px/1.55 ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
    .pill { color: var(--tone); font-weight: 600; white-space: nowrap; }
    ul { margin: 0; padding: 18px 20px 18px 40px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
    dl { margin: 0; padding: 8px 20px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; font-size: 15px; }
    dl div { display: grid; grid-template-columns: 210px 1fr; gap: 16px; padding: 8px 0; }
    dl div + div { border-top: 1px solid var(--faint); }
    dt { color: var(--quiet); } dd { margin: 0; }
    footer { max-width: 1120px; margin: 0 auto; padding: 28px 24px 40px; color: var(--quiet); font-size: 13.5px; }
    @media (max-width: 640px) {
      main { padding: 16px 16px 0; }
      header { padding: 20px 18px 22px; }
      h1 { font-size: 28px; } .sentence { font-size: 17px; }
      section { margin-top: 34px; }
      figure { padding: 16px 12px 8px; }
      .plot text { font-size: 19px; } .dots { stroke-width: 7; }
      thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      table, tbody { display: block; }
      tr { display: block; padding: 10px 16px 12px; } tr + tr { border-top: 1px solid var(--edge); }
      th, td { display: block; padding: 2px 0; border: 0; }
      td { display: grid; grid-template-columns: 9.5em 1fr; gap: 8px; }
      td::before { content: attr(data-label); color: var(--quiet); font: 13.5px/1.6 system-ui, sans-serif; }
      dl { padding: 6px 16px; } dl div { grid-template-columns: 1fr; gap: 0; }
      footer { padding: 24px 16px 32px; }
    }
    @media print { body { background: #fff; } figure, table, header { break-inside: avoid; } }
    """
}
